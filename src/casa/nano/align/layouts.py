"""Where a perfect reader would put a text's pieces: in the cells of a picture, or in the frames of a clip."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from casa.nano.pictures.scenes import COLOURS, KINDS, Scene
from casa.nano.vision.labels import IGNORED, label_scene
from casa.nano.vision.vocabulary import Vocabulary

BLANK = -1
SMALLEST, LARGEST = 4, 16  # cells of a picture's side; 16 x 16 cells are 448 x 448 pixels
MOST_FRAMES = 25 * 30  # the audio tower hears 25 frames a second, for 30 seconds
_CELLS_A_CHARACTER = (0.25, 0.75)  # letters of about 13 to 38 pixels in cells of 28
_FRAMES_A_CHARACTER = (1.2, 2.2)  # of speech; synthesizers take about 1.7
_SILENCE = (2, 15)  # frames before and after
_DOUBLED = 0.25  # share of spikes that last two frames


class Piece(NamedTuple):
    """A piece of a text: its id in the language model, and how many characters it covers."""

    id: int
    length: int


def pieces_of(tokenizer: Any, text: str) -> list[list[Piece]]:
    """Pieces word by word, each word cut as it is after a space; pieces without a character are left out.

    A reader cannot tell the first word of a text from any other, so all are cut alike.
    """
    encoded = tokenizer([f" {word}" for word in text.split()], add_special_tokens=False, return_offsets_mapping=True)
    return [
        [Piece(i, end - max(start, 1)) for i, (start, end) in zip(ids, offsets, strict=True) if end > 1]
        for ids, offsets in zip(encoded.input_ids, encoded.offset_mapping, strict=True)
    ]


def in_cells(words: Sequence[Sequence[Piece]], rng: random.Random) -> Tensor | None:
    """A picture of a text: ids in the cells that hold the pieces' centres, `BLANK` elsewhere; shape (rows, columns).

    Letters' size, margins, line pitch and what is left empty are random. None if the text needs more than `LARGEST` rows,
    or one of its words more than a row.
    """
    columns = rng.randint(SMALLEST + 4, LARGEST)
    size = rng.uniform(*_CELLS_A_CHARACTER)
    lines = _wrapped(words, columns, size)
    pitch = 1 if len(lines) > LARGEST // 2 else rng.choice((1, 1, 2))
    above, below = rng.randint(0, 1), rng.randint(0, 2)
    height = above + pitch * len(lines) + below
    if height > LARGEST or any(len(line) > columns for line in lines):
        return None
    grid = torch.full((max(height, SMALLEST), columns), BLANK)
    for number, line in enumerate(lines):
        for column, piece in zip(_apart(line, columns), line, strict=True):
            grid[above + pitch * number, column] = piece[1]
    return grid


def _wrapped(words: Sequence[Sequence[Piece]], columns: int, size: float) -> list[list[tuple[float, int]]]:
    """Lines of (centre in cells, id); a word that is wider than a line stands alone in one."""
    lines: list[list[tuple[float, int]]] = [[]]
    position = 0.0
    for word in words:
        width = size * sum(piece.length for piece in word)
        if lines[-1] and (position + width > columns or len(lines[-1]) + len(word) > columns):
            lines.append([])
            position = 0.0
        for piece in word:
            lines[-1].append((position + size * piece.length / 2, piece.id))
            position += size * piece.length
        position += size
    return [line for line in lines if line]


def _apart(line: Sequence[tuple[float, int]], columns: int) -> list[int]:
    """A column for each piece: that of its centre, moved on where two would share one, moved back from the edge."""
    found: list[int] = []
    for centre, _ in line:
        found.append(max(int(centre), found[-1] + 1 if found else 0))
    for i in range(len(found) - 1, -1, -1):
        found[i] = min(found[i], columns - (len(found) - i))
    return found


def shapes_in_cells(scene: Scene, tokenizer: Any) -> Tensor | None:
    """A picture of a scene: ids of each shape's colour and kind beside its centre, `BLANK` elsewhere; shape (rows, columns).

    None if a row has no room for its words.
    """
    words = [f" {word}" for word in (*COLOURS, *KINDS)]
    ids = sorted({piece for word in words for piece in tokenizer(word, add_special_tokens=False).input_ids})
    classes = torch.from_numpy(label_scene(scene, Vocabulary(tokenizer, ids)).pieces)
    if (classes == IGNORED).any():
        return None
    return torch.where(classes == 0, BLANK, torch.tensor(ids)[(classes - 1).clamp(min=0)])


def in_frames(words: Sequence[Sequence[Piece]], rng: random.Random) -> Tensor | None:
    """A clip of a text: ids in the frames in which the pieces end, `BLANK` elsewhere; shape (frames,).

    Tempo and silence are random, some spikes last two frames. None if it takes longer than `MOST_FRAMES`.
    """
    frames = [BLANK] * rng.randint(*_SILENCE)
    tempo = rng.uniform(*_FRAMES_A_CHARACTER)
    for piece in (piece for word in words for piece in word):
        pause = max(0, round(rng.gauss(tempo * piece.length, tempo)) - 1)
        frames += [BLANK] * pause + [piece.id] * (2 if rng.random() < _DOUBLED else 1)
    frames += [BLANK] * rng.randint(*_SILENCE)
    return torch.tensor(frames) if len(frames) <= MOST_FRAMES else None


def embedded(ids: Tensor, table: Tensor, blank: Tensor, noise: float, generator: torch.Generator) -> Tensor:
    """What a tower would give for a layout: embeddings of the ids, a vector for blanks, and noise; shape (*ids.shape, width).

    Args:
        ids: a layout.
        table: the language model's embeddings, shape (vocabulary, width).
        blank: vector of blanks, shape (width,).
        noise: standard deviation of the noise, as a share of the embeddings' own.
        generator: of the noise.
    """
    clean = torch.where((ids == BLANK)[..., None], blank, table[ids.clamp(min=0)])
    spread = noise * table.std()
    return clean + spread * torch.randn(clean.shape, generator=generator, dtype=clean.dtype)
