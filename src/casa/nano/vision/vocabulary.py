"""What the tower can say: printable characters, and the language model's commonest pieces and those of the pictures' texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, cached_property
from typing import Any, NamedTuple

import torch
from safetensors import safe_open

from casa.nano.build import ensure_nano
from casa.nano.common import WORD_START, common_pieces, one_piece_words
from casa.nano.pictures.corpus import read_corpus
from casa.nano.pictures.fonts import PRINTABLE
from casa.nano.pictures.lists import list_words
from casa.nano.pictures.scenes import COLOURS, KINDS

BLANK = 0  # class of what has no ink, for characters and for pieces
CHARACTERS = " " + PRINTABLE  # class i + 1 is character i
_DRAWN_AS = (str, str.lower, str.title, str.upper)  # how a word of the corpus is drawn in the pictures


class Piece(NamedTuple):
    """A piece of a word: its class, and the characters from `start` to before `end`."""

    label: int
    start: int
    end: int


class Vocabulary:
    """Pieces with their classes; class 0 is the blank.

    Every word is cut as it is after a space: a picture does not tell the first word of a text from any other. The space that
    stands alone before a digit has no ink and is left to the blank, which starts from its embedding. A word whose own pieces are
    not all known is made of the fewest known ones.

    Args:
        tokenizer: the language model's.
        ids: the pieces' ids in the language model, in the order of their classes.
    """

    def __init__(self, tokenizer: Any, ids: Sequence[int]) -> None:
        self.tokenizer, self.ids = tokenizer, tuple(ids)
        self._labels = {piece: label for label, piece in enumerate(self.ids, start=1)}
        self._cut = cache(self._cut_word)

    def __len__(self) -> int:
        """Number of classes, the blank among them."""
        return len(self.ids) + 1

    def pieces(self, word: str) -> tuple[Piece, ...] | None:
        """The pieces of a word; None if known ones do not make it up."""
        return self._cut(word)

    def decode(self, labels: Iterable[int]) -> str:
        """The text of classes other than the blank."""
        text: str = self.tokenizer.decode([self.ids[label - 1] for label in labels])
        return text.strip()

    def _cut_word(self, word: str) -> tuple[Piece, ...] | None:
        found = _cut_words(self.tokenizer, [word])[0]
        if any(piece not in self._labels for piece, _, _ in found):
            return self._fewest(word)
        return tuple(Piece(self._labels[piece], start, end) for piece, start, end in found)

    def _fewest(self, word: str) -> tuple[Piece, ...] | None:
        """The fewest known pieces that make up a word, long ones last."""
        cuts: list[tuple[Piece, ...] | None] = [()]
        for end in range(1, len(word) + 1):
            ways = [
                (*before, Piece(label, start, end))
                for start, before in enumerate(cuts)
                if before is not None and (label := self._label_of(word[start:end], first=not start)) is not None
            ]
            cuts.append(min(ways, key=len, default=None))
        return cuts[-1]

    def _label_of(self, text: str, first: bool) -> int | None:
        """The class of a piece with this text, at the beginning of a word or in it; no piece holds the space before a digit."""
        return self._by_text.get(WORD_START + text if first and not text.isdigit() else text)

    @cached_property
    def _by_text(self) -> dict[str, int]:
        tokens = self.tokenizer.convert_ids_to_tokens(list(self.ids))
        return {token: label for label, token in enumerate(tokens, start=1)}

    @cached_property
    def one_piece_words(self) -> tuple[str, ...]:
        """Words that are one piece to the language model, commonest first, whether the tower can say it or not."""
        return one_piece_words(self.tokenizer)


def read_vocabulary(tokenizer: Any) -> Vocabulary:
    """The pieces of the pictures' train corpus in the cases it is drawn in, of lists, of scenes' words, and of each character."""
    words = {change(word) for word in read_corpus("train").words for change in _DRAWN_AS}
    words |= {*list_words("train"), *COLOURS, *KINDS, *PRINTABLE}
    said = {piece for word in _cut_words(tokenizer, sorted(words)) for piece, _, _ in word}
    return Vocabulary(tokenizer, sorted(said | set(common_pieces(tokenizer))))


def extended(vocabulary: Vocabulary) -> Vocabulary:
    """The vocabulary with the common pieces that it lacks behind its own, whose classes stay what they are."""
    lacking = sorted(set(common_pieces(vocabulary.tokenizer)) - set(vocabulary.ids))
    return Vocabulary(vocabulary.tokenizer, (*vocabulary.ids, *lacking))


def load_tokenizer() -> Any:
    """casa-nano's tokenizer."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(ensure_nano())


def class_embeddings(vocabulary: Vocabulary) -> torch.Tensor:
    """The language model's embeddings of all classes, (classes, width), float32; the blank's is that of " "."""
    (space,) = vocabulary.tokenizer(" ", add_special_tokens=False).input_ids
    with safe_open(ensure_nano() / "model.safetensors", "pt") as weights:
        table = weights.get_tensor("thinker.model.embed_tokens.weight")
    return table[[space, *vocabulary.ids]].float()


def encode_characters(text: str) -> list[int]:
    """Classes of a text's characters."""
    return [CHARACTERS.index(character) + 1 for character in text]


def decode_characters(labels: Iterable[int]) -> str:
    """The text of character classes other than the blank."""
    return "".join(CHARACTERS[label - 1] for label in labels).strip()


def _cut_words(tokenizer: Any, words: list[str]) -> list[list[tuple[int, int, int]]]:
    """For each word, its pieces with ink: (id, start, end)."""
    encoded = tokenizer([f" {word}" for word in words], add_special_tokens=False, return_offsets_mapping=True)
    return [
        [(piece, max(start - 1, 0), end - 1) for piece, (start, end) in zip(ids, offsets, strict=True) if end > 1]
        for ids, offsets in zip(encoded.input_ids, encoded.offset_mapping, strict=True)
    ]
