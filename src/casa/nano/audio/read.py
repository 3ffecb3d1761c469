"""Reading the tower's vectors as text, and how much of it is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity
from torch.utils.data import DataLoader

from casa.errors import MissingDependencyError
from casa.nano.audio.batches import StateClips, collate
from casa.nano.audio.head import UpperEncoder, vectors_of
from casa.nano.audio.labels import BLANK, Labels


class Heard(NamedTuple):
    """What was heard in one clip.

    Attributes:
        text: of the nearest classes, repetitions once and blanks left out.
        closeness: cosine of each vector that says a piece with that piece's embedding.
    """

    text: str
    closeness: list[float]


def greedy(vectors: Tensor, lengths: Tensor, classes: Tensor, labels: Labels) -> list[Heard]:
    """Each clip, every vector read as its nearest class.

    Args:
        vectors: (batch, time, width).
        lengths: vectors of each clip, (batch,).
        classes: vectors of all classes, the blank's first: (1 + pieces, width).
        labels: the pieces.
    """
    vectors = vectors.float()
    nearest = (2 * vectors @ classes.T - classes.square().sum(dim=1)).argmax(dim=2)
    cosines = cosine_similarity(vectors, classes[nearest], dim=2)
    heard = []
    for row, near, length in zip(nearest.cpu(), cosines.cpu(), lengths.tolist(), strict=True):
        row, near = row[:length], near[:length]
        said = torch.unique_consecutive(row).tolist()
        text = labels.decode([label for label in said if label != BLANK])
        heard.append(Heard(text, near[row != BLANK].tolist()))
    return heard


def transcripts(
    upper: UpperEncoder, clips: StateClips, classes: Tensor, labels: Labels, batch_size: int
) -> list[Heard]:
    """What a tower hears in each clip, by `greedy`, computed where `classes` are; see there for `classes` and `labels`."""
    heard: list[Heard] = []
    for batch in DataLoader(clips, batch_size=batch_size, collate_fn=collate):
        states, frames = (batch[name].to(classes.device) for name in ("states", "frames"))
        heard += greedy(upper(states.float(), frames), vectors_of(frames), classes, labels)
    return heard


def error_rates(kinds: Sequence[str], references: Sequence[str], hypotheses: Sequence[str]) -> dict[str, float]:
    """Word error rate of the sentences and letter error rate of the spelled words, as far as there are any.

    Letters of a spelled word are written as words, so that both rates count words.

    Args:
        kinds: of the clips, see `casa.nano.speech.clips.Clip`.
        references: their transcripts.
        hypotheses: what was read.

    Raises:
        MissingDependencyError: jiwer is not installed.
    """
    rows = list(zip(kinds, references, hypotheses, strict=True))
    rates = {}
    for name, chosen in (
        ("word_error_rate", [row for row in rows if row[0] != "spelled"]),
        ("letter_error_rate", [row for row in rows if row[0] == "spelled"]),
    ):
        if chosen:
            rates[name] = float(jiwer().wer([row[1] for row in chosen], [row[2] for row in chosen]))
    return rates


def jiwer() -> Any:
    """The module that counts errors.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import jiwer as module
    except ImportError as error:
        raise MissingDependencyError("error rates need jiwer. Install it with\n    pip install jiwer") from error
    return module
