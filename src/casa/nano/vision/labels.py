"""From rendered text to what the tower should say: a character a slot of 7 px, a piece a cell of 28 px, and both a row."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.optimize import isotonic_regression

from casa.errors import CasaError
from casa.nano.pictures.scenes import Scene
from casa.nano.pictures.styles import CELL
from casa.nano.pictures.text import RenderedText, Word
from casa.nano.vision.vocabulary import BLANK, Vocabulary, encode_characters

SLOTS = 4  # of characters in a cell
IGNORED = -100  # a row that has no room for all its symbols: no class is right


class Labels(NamedTuple):
    """Classes of one picture; 0 is the blank.

    Attributes:
        characters: (rows, 4 * columns), the character whose centre is in the slot.
        pieces: (rows, columns), the piece whose centre is in the cell.
        character_rows: each row's characters from left to right.
        piece_rows: each row's pieces from left to right.
    """

    characters: np.ndarray
    pieces: np.ndarray
    character_rows: list[list[int]]
    piece_rows: list[list[int]]


class _Symbol(NamedTuple):
    """A class, and where its middle is, px."""

    label: int
    x: float
    y: float


def label(rendered: RenderedText, vocabulary: Vocabulary) -> Labels:
    """The labels of a picture. A symbol belongs to the row in which its centre is, also where a rotated line crosses rows.

    Raises:
        CasaError: a word's pieces are not all in the vocabulary.
    """
    rows, columns = rendered.image.height // CELL, rendered.image.width // CELL
    characters = _by_row(_characters(rendered.words), rows)
    pieces = _by_row(_pieces(rendered.words, vocabulary), rows)
    return Labels(
        np.stack([_row(symbols, SLOTS * columns, CELL / SLOTS) for symbols in characters]),
        np.stack([_row(symbols, columns, CELL) for symbols in pieces]),
        [[symbol.label for symbol in row] for row in characters],
        [[symbol.label for symbol in row] for row in pieces],
    )


def label_scene(scene: Scene, vocabulary: Vocabulary) -> Labels:
    """The labels of a scene: each shape's colour left of its centre, its kind right of it, and no characters.

    Raises:
        CasaError: the vocabulary lacks a colour or a kind.
    """
    rows, columns = scene.height // CELL, scene.width // CELL
    pieces = _by_row(_names(scene, vocabulary), rows)
    return Labels(
        np.full((rows, SLOTS * columns), BLANK),
        np.stack([_row(symbols, columns, CELL) for symbols in pieces]),
        [[] for _ in range(rows)],
        [[symbol.label for symbol in row] for row in pieces],
    )


def place(positions: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray | None:
    """Different places in order, as near as can be to the wanted ones; the wanted ones themselves if they will do.

    Equal neighbours get a free place between them, as CTC needs to tell them from one.

    Args:
        positions: (n,) wanted places, not decreasing, each at least 0 and below `count`.
        labels: (n,) what is to be placed.
        count: how many places there are.

    Returns:
        (n,) increasing places; None if they are too few.
    """
    if not len(positions):
        return positions
    least = np.concatenate([[0], np.cumsum(1 + (labels[1:] == labels[:-1]))])
    if least[-1] >= count:
        return None
    # places p are far enough apart iff p - least does not decrease
    slack = positions - least
    if (np.diff(slack) < 0).any():
        slack = np.floor(isotonic_regression(slack).x + 1e-9).astype(int)
    return np.asarray(np.clip(slack, 0, count - 1 - least[-1]) + least)


def _characters(words: tuple[Word, ...]) -> Iterator[_Symbol]:
    """All characters, with a space between two words of a line."""
    for word in words:
        for character, (x, y) in zip(encode_characters(word.text), word.centres, strict=True):
            yield _Symbol(character, x, y)
    (space,) = encode_characters(" ")
    for left, right in pairwise(words):
        if left.line == right.line:
            y = (left.centres[-1][1] + right.centres[0][1]) / 2
            yield _Symbol(space, (left.right + right.left) / 2, y)


def _pieces(words: tuple[Word, ...], vocabulary: Vocabulary) -> Iterator[_Symbol]:
    for word in words:
        pieces = vocabulary.pieces(word.text)
        if pieces is None:
            raise CasaError(f"the word {word.text!r} has pieces outside the tower's vocabulary")
        for piece in pieces:
            (x0, y0), (x1, y1) = word.centres[piece.start], word.centres[piece.end - 1]
            yield _Symbol(piece.label, (x0 + x1) / 2, (y0 + y1) / 2)


def _names(scene: Scene, vocabulary: Vocabulary) -> Iterator[_Symbol]:
    for shape in scene.shapes:
        for word, x in ((shape.colour, shape.x - CELL / 2), (shape.kind, shape.x + CELL / 2)):
            pieces = vocabulary.pieces(word)
            if pieces is None:
                raise CasaError(f"the word {word!r} has pieces outside the tower's vocabulary")
            yield from (_Symbol(piece.label, x, shape.y) for piece in pieces)


def _by_row(symbols: Iterator[_Symbol], rows: int) -> list[list[_Symbol]]:
    found: list[list[_Symbol]] = [[] for _ in range(rows)]
    for symbol in symbols:
        found[min(max(int(symbol.y // CELL), 0), rows - 1)].append(symbol)
    return [sorted(row, key=lambda symbol: symbol.x) for row in found]


def _row(symbols: list[_Symbol], count: int, width: float) -> np.ndarray:
    """(count,) classes of one row's places of so many px; all `IGNORED` if there are too few."""
    wanted = np.array([min(max(int(symbol.x // width), 0), count - 1) for symbol in symbols], dtype=int)
    labels = np.array([symbol.label for symbol in symbols], dtype=int)
    places = place(wanted, labels, count)
    if places is None:
        return np.full(count, IGNORED)
    row = np.full(count, BLANK)
    row[places] = labels
    return row
