"""Pictures with targets, drawn on the fly: what a step sees depends on the seed and the step alone."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from casa.data.reading import Split
from casa.nano.pictures.corpus import read_corpus, sample_text
from casa.nano.pictures.fonts import Family
from casa.nano.pictures.lists import sample_list
from casa.nano.pictures.scenes import draw_scene, sample_scene
from casa.nano.pictures.styles import CELL, Style, sample_style, strip_style
from casa.nano.pictures.text import fit_text, render_text
from casa.nano.vision.labels import Labels, label, label_scene
from casa.nano.vision.objective import Targets
from casa.nano.vision.recipe import VisionRecipe
from casa.nano.vision.vocabulary import Vocabulary

STRIP_COLUMNS = 12
_MOST_ROWS, _LEAST_COLUMNS, _MOST_COLUMNS = 12, 6, 16
_MOST_LINES = 8
_LIST_SHARE, _LEAST_LIST_ROWS = 0.1, 6
_LEAST_SCENE_ROWS, _SCENE_SIDE = 4, 8


class Batch(NamedTuple):
    """Equal-sized pictures and their targets.

    Attributes:
        pictures: (batch, height, width, 3), uint8.
        targets: their labels.
        words: how many words of the texts are known; what does not fit in a picture is cut.
        left_out: how many were taken out, because the vocabulary lacks a piece of theirs.
    """

    pictures: Tensor
    targets: Targets
    words: int
    left_out: int

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        pictures = self.pictures.to(device, non_blocking=True)
        targets = Targets(*(tensor.to(device, non_blocking=True) for tensor in self.targets))
        return Batch(pictures, targets, self.words, self.left_out)


class _Text(NamedTuple):
    text: str
    words: int
    left_out: int


@dataclass(frozen=True)
class Artist:
    """Draws random pictures of one split's texts in one split's fonts.

    Attributes:
        families: fonts.
        split: of texts.
        vocabulary: words that its pieces do not make up are left out. Its common words are drawn in the training split.
        scene_share: how many of the pictures of four rows and more are scenes instead.
    """

    families: Sequence[Family]
    split: Split
    vocabulary: Vocabulary
    scene_share: float = 0.0

    def batch(self, rng: random.Random, count: int, rows: int, columns: int, hardest: float) -> Batch:
        """Pictures of so many cells; most are nearly as hard as the hardest (0 to 1)."""
        pictures, labels, words, left_out = [], [], 0, 0
        for _ in range(count):
            if self.scene_share and rows >= _LEAST_SCENE_ROWS and rng.random() < self.scene_share:
                picture, shapes = self._scene(rng, rows, columns)
                pictures.append(picture)
                labels.append(shapes)
                continue
            style = sample_style(rng, self.families, rng.triangular(0, hardest, hardest))
            style = strip_style(style) if rows == 1 else style
            text = self._text(rng, style, rows, columns)
            width, height = columns * CELL, rows * CELL
            drawn = render_text(fit_text(text.text, style, width, height), style, width, height)
            pictures.append(drawn.image)
            labels.append(label(drawn, self.vocabulary))
            words, left_out = words + text.words, left_out + text.left_out
        return Batch(_stacked(pictures), _targets(labels), words, left_out)

    def scenes(self, rng: random.Random, count: int, rows: int, columns: int) -> Batch:
        """Scenes of so many cells."""
        drawn = [self._scene(rng, rows, columns) for _ in range(count)]
        return Batch(_stacked([picture for picture, _ in drawn]), _targets([labels for _, labels in drawn]), 0, 0)

    def _scene(self, rng: random.Random, rows: int, columns: int) -> tuple[Image, Labels]:
        scene = sample_scene(rng, columns * CELL, rows * CELL)
        return draw_scene(scene), label_scene(scene, self.vocabulary)

    def _text(self, rng: random.Random, style: Style, rows: int, columns: int) -> _Text:
        """A text that may or may not fill the picture, its unknown words left out."""
        if rows >= _LEAST_LIST_ROWS and rng.random() < _LIST_SHARE:
            lines = sample_list(rng, self.split).text.split("\n")
        else:
            room = min(_MOST_LINES, max(1, rows * CELL // style.pitch)) * max(1.0, columns * CELL / (3 * style.size))
            common = self.vocabulary.one_piece_words if self.split == "train" else ()
            lines = [sample_text(rng, read_corpus(self.split), rng.randint(1, round(1.5 * room)), common)]
        found = [line.split() for line in lines]
        known = [[word for word in line if self.vocabulary.pieces(word) is not None] for line in found]
        words, kept = (sum(map(len, part)) for part in (found, known))
        return _Text("\n".join(" ".join(line) for line in known), kept, words - kept)


class TrainingBatches(Dataset[Batch]):
    """The batch of each step.

    Args:
        recipe: its seed, sizes and stages.
        artist: of the training split.
    """

    def __init__(self, recipe: VisionRecipe, artist: Artist) -> None:
        self.recipe, self.artist = recipe, artist

    def __len__(self) -> int:
        return self.recipe.steps

    def __getitem__(self, step: int) -> Batch:
        rng = random.Random(f"vision:{self.recipe.seed}:{step}")
        rows, columns = _strip_size(rng) if self.recipe.strips_only(step) else _page_size(rng)
        count = max(1, self.recipe.cells_per_batch // (rows * columns))
        return self.artist.batch(rng, count, rows, columns, self.recipe.difficulty(step))


def dev_batches(recipe: VisionRecipe, artist: Artist) -> dict[str, list[Batch]]:
    """Pictures for the dev measurement, the same in every run: plain strips, hardest pages, and scenes if any are trained on."""
    rng = random.Random("vision:dev")
    strips = [artist.batch(rng, 16, 1, STRIP_COLUMNS, 0.0) for _ in range(-(-recipe.dev_strips // 16))]
    pages = [artist.batch(rng, 4, *_page_size(rng), 1.0) for _ in range(-(-recipe.dev_pages // 4))]
    if not recipe.scene_share:
        return {"strips": strips, "pages": pages}
    scenes = [artist.scenes(rng, 4, _SCENE_SIDE, _SCENE_SIDE) for _ in range(-(-recipe.dev_pages // 4))]
    return {"strips": strips, "pages": pages, "scenes": scenes}


def _strip_size(rng: random.Random) -> tuple[int, int]:
    """Rows and columns in stage 1: two strips for one of two rows."""
    return rng.choice((1, 1, 2)), STRIP_COLUMNS


def _page_size(rng: random.Random) -> tuple[int, int]:
    """Rows and columns in stage 2: the more rows, the rarer."""
    rows = rng.choices(range(1, _MOST_ROWS + 1), [1 / row for row in range(1, _MOST_ROWS + 1)])[0]
    return rows, rng.randint(_LEAST_COLUMNS, _MOST_COLUMNS)


def _stacked(pictures: Iterable[Image]) -> Tensor:
    return torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures]))


def _targets(labels: Sequence[Labels]) -> Targets:
    characters = torch.from_numpy(np.stack([one.characters for one in labels]))
    pieces = torch.from_numpy(np.stack([one.pieces for one in labels]))
    character_rows = [torch.tensor(row, dtype=torch.long) for one in labels for row in one.character_rows]
    piece_rows = [torch.tensor(row, dtype=torch.long) for one in labels for row in one.piece_rows]
    return Targets(characters, pieces, *_padded(character_rows), *_padded(piece_rows))


def _padded(rows: list[Tensor]) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(row) for row in rows])
    # at least one column: CTC refuses an empty table, even if every row is blank
    return pad_sequence([*rows, torch.zeros(1, dtype=torch.long)], batch_first=True)[:-1], lengths
