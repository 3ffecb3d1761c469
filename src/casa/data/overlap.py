"""Finds texts that hold others: word for word, by eight words in a row, or a shorter one as a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Generic, TypeVar

GRAM = 8  # words in a row that no two people write by chance
SHORTEST = 4  # words of a text that is looked for among sentences
_ENDS = re.compile(r"[.!?:;\n\"“”]+")  # of sentences, and of what is quoted or announced
Tag = TypeVar("Tag")


def words(text: str) -> tuple[str, ...]:
    """Its words in lower case, without punctuation: two texts are the same if their words are."""
    return tuple(re.findall(r"\w+", text.lower()))


class Overlap(Generic[Tag]):
    """An index of tagged texts; of several that overlap with a text, the first that was added is found."""

    def __init__(self) -> None:
        self._whole: dict[tuple[str, ...], Tag] = {}
        self._grams: dict[tuple[str, ...], Tag] = {}
        self._sentences: dict[tuple[str, ...], Tag] = {}

    def add(self, text: str, tag: Tag) -> None:
        """Adds a text."""
        found = words(text)
        self._whole.setdefault(found, tag)
        for gram in _grams(found):
            self._grams.setdefault(gram, tag)
        for sentence in _short_sentences(text):
            self._sentences.setdefault(sentence, tag)

    def find(self, text: str) -> tuple[Tag, str] | None:
        """The tag of a text that overlaps with this one, and how: "the same text", "eight words in a row" or "a whole sentence".

        A whole sentence of one that is all of the other is looked for where it has four to seven words: within other sentences
        so few words are often another question ("how far is the moon" in "how far is the moon from Mars").
        """
        found = words(text)
        if found in self._whole:
            return self._whole[found], "the same text"
        for gram in _grams(found):
            if gram in self._grams:
                return self._grams[gram], "eight words in a row"
        if found in self._sentences:
            return self._sentences[found], "a whole sentence"
        for sentence in _short_sentences(text):
            if sentence in self._whole:
                return self._whole[sentence], "a whole sentence"
        return None


def _grams(text: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return (text[start : start + GRAM] for start in range(len(text) - GRAM + 1))


def _short_sentences(text: str) -> Iterator[tuple[str, ...]]:
    return (found for part in _ENDS.split(text) if SHORTEST <= len(found := words(part)) < GRAM)
