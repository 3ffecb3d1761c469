"""Batches of cached encoder states with their transcripts' classes."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset, Sampler

from casa.errors import DataError
from casa.nano.audio.features import frame_counts
from casa.nano.audio.labels import Labels
from casa.nano.speech.clips import Clip, read_index, shards


class Example(NamedTuple):
    """One clip of a batch: its states (frames, width), float16, and its classes (labels,)."""

    states: Tensor
    targets: Tensor


class StateClips(Dataset[Example]):
    """Clips whose states are cached.

    Args:
        folders: of the clips, each with the folder of their states.
        labels: the classes.
        limit: at most so many clips, the first ones; None for all.

    Raises:
        DataError: there are no clips, or a clip says a word that has no classes.
    """

    def __init__(self, folders: Sequence[tuple[Path, Path]], labels: Labels, limit: int | None = None) -> None:
        self.clips: list[Clip] = []
        self.lengths: list[int] = []  # frames
        self._places: list[tuple[Path, int]] = []
        for index, states in ((index, states) for clips, states in folders for index in shards(clips)):
            found = read_index(index)
            counts = frame_counts(found)
            self.clips += found
            self.lengths += counts
            starts = accumulate(counts, initial=0)
            self._places += [(states / f"{index.stem}.npy", first) for _, first in zip(found, starts, strict=False)]
        if limit is not None:
            del self.clips[limit:], self.lengths[limit:], self._places[limit:]
        self._targets = [torch.tensor(labels.encode(clip.transcript)) for clip in self.clips]

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, number: int) -> Example:
        path, first = self._places[number]
        states = _opened(path)[first : first + self.lengths[number]]
        return Example(torch.from_numpy(states.copy()), self._targets[number])


@cache
def _opened(path: Path) -> Any:
    return np.load(path, mmap_mode="r")


class LengthBatches(Sampler[list[int]]):
    """Batches of clips of like length, over all epochs at once.

    The order depends on the seed alone, so a run that resumes by skipping batches sees what an uninterrupted one would have
    seen. Clips that do not fill a batch are left out of that epoch.

    Args:
        lengths: of the clips.
        batch_size: clips.
        epochs: passes over the clips.
        seed: of the order.

    Raises:
        DataError: the clips do not fill one batch.
    """

    _BUCKET = 32  # batches that are sorted by length together

    def __init__(self, lengths: Sequence[int], batch_size: int, epochs: int, seed: int) -> None:
        if len(lengths) < batch_size:
            raise DataError(f"{len(lengths)} clips do not fill a batch of {batch_size}")
        self._lengths, self.batch_size, self._epochs, self._seed = lengths, batch_size, epochs, seed

    def __len__(self) -> int:
        return self._epochs * (len(self._lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        for epoch in range(self._epochs):
            yield from self._epoch(random.Random(self._seed * 1000 + epoch))

    def _epoch(self, rng: random.Random) -> list[list[int]]:
        size = self.batch_size
        order = rng.sample(range(len(self._lengths)), len(self._lengths) // size * size)
        batches = []
        for start in range(0, len(order), self._BUCKET * size):
            part = sorted(order[start : start + self._BUCKET * size], key=self._lengths.__getitem__)
            batches += [part[i : i + size] for i in range(0, len(part), size)]
        rng.shuffle(batches)
        return batches


def collate(examples: Sequence[Example]) -> dict[str, Tensor]:
    """A padded batch: `states` (batch, frames, width), `frames` (batch,), `targets` (batch, labels), `target_lengths` (batch,)."""
    return {
        "states": pad_sequence([example.states for example in examples], batch_first=True),
        "frames": torch.tensor([len(example.states) for example in examples]),
        "targets": pad_sequence([example.targets for example in examples], batch_first=True),
        "target_lengths": torch.tensor([len(example.targets) for example in examples]),
    }
