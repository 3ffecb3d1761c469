"""Finds texts that hold others: word for word, or by eight words in a row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Generic, TypeVar

GRAM = 8  # words in a row that no two people write by chance
Tag = TypeVar("Tag")


def words(text: str) -> tuple[str, ...]:
    """Its words in lower case, without punctuation: two texts are the same if their words are."""
    return tuple(re.findall(r"\w+", text.lower()))


class Overlap(Generic[Tag]):
    """An index of tagged texts; of several that overlap with a text, the first that was added is found."""

    def __init__(self) -> None:
        self._whole: dict[tuple[str, ...], Tag] = {}
        self._grams: dict[tuple[str, ...], Tag] = {}

    def add(self, text: str, tag: Tag) -> None:
        """Adds a text."""
        found = words(text)
        self._whole.setdefault(found, tag)
        for gram in _grams(found):
            self._grams.setdefault(gram, tag)

    def find(self, text: str) -> tuple[Tag, str] | None:
        """The tag of a text that overlaps with this one, and how: "the same text" or "eight words in a row"."""
        found = words(text)
        if found in self._whole:
            return self._whole[found], "the same text"
        gram = next((gram for gram in _grams(found) if gram in self._grams), None)
        return None if gram is None else (self._grams[gram], "eight words in a row")


def _grams(text: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return (text[start : start + GRAM] for start in range(len(text) - GRAM + 1))
