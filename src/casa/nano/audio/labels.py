"""Transcripts as the language model's own pieces, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from string import ascii_lowercase
from typing import Any

from casa.errors import DataError

BLANK = 0  # class of CTC's blank; piece i is class i + 1


@dataclass(frozen=True)
class Labels:
    """The classes of recognition.

    Attributes:
        pieces: the language model's tokens, as text; those that begin a word begin with a blank.
        ids: their ids in the language model.
        words: every word that can be written, as classes. A spelled letter is a word.
    """

    pieces: tuple[str, ...]
    ids: tuple[int, ...]
    words: dict[str, tuple[int, ...]]

    def encode(self, transcript: str) -> list[int]:
        """A transcript's classes, those of its words one after another.

        Args:
            transcript: lower-case words between single blanks, as `casa.nano.speech.spelling.transcript` writes them.

        Raises:
            DataError: a word is not in `words`.
        """
        try:
            return [label for word in transcript.split() for label in self.words[word]]
        except KeyError as error:
            raise DataError(
                f"{error} in {transcript!r} is not among the {len(self.words)} words of the training corpus"
            ) from error

    def decode(self, classes: Sequence[int]) -> str:
        """The text of classes, blanks left out."""
        return "".join(self._texts[label] for label in classes).strip()

    @cached_property
    def _texts(self) -> tuple[str, ...]:
        return ("", *self.pieces)


def read_labels(tokenizer: Any, transcripts: Iterable[str]) -> Labels:
    """All pieces that occur in the transcripts, and the letters a to z.

    Args:
        tokenizer: the language model's.
        transcripts: of the training corpus.
    """
    words = sorted({word for transcript in transcripts for word in transcript.split()} | set(ascii_lowercase))
    tokens = tokenizer([f" {word}" for word in words], add_special_tokens=False)["input_ids"]
    ids = sorted({token for word in tokens for token in word})
    classes = {token: label for label, token in enumerate(ids, start=1)}
    spelled = {word: tuple(classes[t] for t in found) for word, found in zip(words, tokens, strict=True)}
    return Labels(tuple(tokenizer.decode([token]) for token in ids), tuple(ids), spelled)
