"""Reads pictures with a trained tower, by characters and by the language model's pieces, and counts the errors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import cosine_similarity

from casa.nano.vision.batches import Batch
from casa.nano.vision.objective import ReadingHeads, Targets
from casa.nano.vision.tower import build_tower, encode, tower_config
from casa.nano.vision.vocabulary import BLANK, Vocabulary, class_embeddings, decode_characters, load_tokenizer

TOWER_FILE, CONFIG_FILE = "tower.safetensors", "config.json"
HEADS_FILE, VOCABULARY_FILE = "heads.safetensors", "vocabulary.json"


class Reading(NamedTuple):
    """What was read in one picture, row by row.

    Attributes:
        text: by characters.
        pieces: classes of pieces.
        piece_text: their text; numbers lack the space before them, which is a blank.
    """

    text: str
    pieces: tuple[int, ...]
    piece_text: str

    def parts(self) -> tuple[Sequence[Any], ...]:
        """What is compared, in the order of `ErrorRates`."""
        return self.text, self.pieces, self.piece_text


class ErrorRates(NamedTuple):
    """Insertions, deletions and substitutions by what is right: of characters, of pieces, of the characters of pieces."""

    characters: float
    pieces: float
    piece_characters: float


@dataclass(frozen=True)
class Reader:
    """A tower with its heads.

    Attributes:
        tower: the vision encoder.
        heads: logits of characters and pieces.
        vocabulary: the pieces.
    """

    tower: Any
    heads: ReadingHeads
    vocabulary: Vocabulary

    @classmethod
    def from_folder(cls, folder: Path) -> Reader:
        """What a finished training left in its folder, in float32."""
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        ids = json.loads((folder / VOCABULARY_FILE).read_text(encoding="utf-8"))
        vocabulary = Vocabulary(load_tokenizer(), ids)
        shape = (config[name] for name in ("depth", "hidden_size", "intermediate_size", "out_hidden_size"))
        tower = build_tower(tower_config(*shape), seed=0)
        tower.load_state_dict(load_file(folder / TOWER_FILE))
        heads = ReadingHeads(tower.merger.hidden_size, class_embeddings(vocabulary))
        heads.load_state_dict(load_file(folder / HEADS_FILE))
        return cls(tower.eval(), heads.eval(), vocabulary)

    @torch.no_grad()
    def read(self, pictures: Tensor) -> list[Reading]:
        """Reads (batch, height, width, 3) uint8 pictures greedily: the best class of each place, repeats and blanks dropped."""
        encoded = encode(self.tower, pictures)
        characters = self.heads.character_logits(encoded).argmax(-1).tolist()
        pieces = self.heads.piece_logits(encoded).argmax(-1).tolist()
        return [self._reading(map(collapse, c), map(collapse, p)) for c, p in zip(characters, pieces, strict=True)]

    @torch.no_grad()
    def closeness(self, pictures: Tensor) -> Tensor:
        """Cosine of each vector that is read as a piece with that piece's embedding, over all pictures, shape (cells,)."""
        encoded = encode(self.tower, pictures)
        found = self.heads.piece_logits(encoded).argmax(-1)
        read = found != BLANK
        return cosine_similarity(encoded.cells[read].float(), self.heads.embeddings()[found[read]], dim=-1)

    def wanted(self, targets: Targets, count: int) -> list[Reading]:
        """What a perfect reader would read in a batch of `count` pictures."""

        def by_picture(sequences: Tensor, lengths: Tensor) -> list[list[list[int]]]:
            rows = [row[:n] for row, n in zip(sequences.tolist(), lengths.tolist(), strict=True)]
            each = len(rows) // count
            return [rows[i * each : (i + 1) * each] for i in range(count)]

        characters = by_picture(targets.character_rows, targets.character_lengths)
        pieces = by_picture(targets.piece_rows, targets.piece_lengths)
        return [self._reading(c, p) for c, p in zip(characters, pieces, strict=True)]

    def measure(self, batches: Iterable[Batch]) -> ErrorRates:
        """Error rates over all pictures together."""
        device = self.heads.blank.device
        wrong, length = np.zeros(3), np.zeros(3)
        for batch in batches:
            found = self.read(batch.pictures.to(device))
            for one, right in zip(found, self.wanted(batch.targets, len(found)), strict=True):
                wrong += [edit_distance(a, b) for a, b in zip(one.parts(), right.parts(), strict=True)]
                length += [len(part) for part in right.parts()]
        return ErrorRates(*(wrong / np.maximum(length, 1)).tolist())

    def _reading(self, characters: Iterable[list[int]], pieces: Iterable[list[int]]) -> Reading:
        found = tuple(piece for row in pieces for piece in row)
        text = " ".join(filter(None, map(decode_characters, characters)))
        return Reading(text, found, self.vocabulary.decode(found))


def collapse(classes: Sequence[int]) -> list[int]:
    """Greedy CTC: repeats become one, then blanks are dropped."""
    return [one for one, _ in groupby(classes) if one != BLANK]


def edit_distance(one: Sequence[Any], other: Sequence[Any]) -> int:
    """Least number of insertions, deletions and substitutions between two sequences (Levenshtein)."""
    right = np.array(list(other))
    order = np.arange(len(right) + 1)
    previous = order
    for item in one:
        kept = np.minimum(previous[1:] + 1, previous[:-1] + (right != item))
        # insertions go on along the row: the minimum of each earlier entry and the distance to it
        previous = np.minimum.accumulate(np.concatenate([previous[:1] + 1, kept]) - order) + order
    return int(previous[-1])
