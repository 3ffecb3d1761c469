"""What the tower learns: its vectors are the embeddings of the pieces that are heard, and a blank vector elsewhere."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import ctc_loss

from casa.nano.audio.head import present
from casa.nano.audio.labels import BLANK
from casa.nano.drawn import drawn_classes


class Loss(NamedTuple):
    """Loss and its parts, scalars.

    Attributes:
        total: what is minimized.
        ctc: connectionist temporal classification, nats a label.
        pull: squared distance from the expected embedding over the embeddings' mean squared norm; what is heard and what is
            silent count alike, though most vectors are silent.
    """

    total: Tensor
    ctc: Tensor
    pull: Tensor


class PieceObjective(nn.Module):
    """CTC over pieces whose logits are -s |x - E(v)|^2, and a pull of x towards the expected embedding.

    CTC alone leaves |x| free: |x|^2 is the same for all pieces and cancels in the softmax. The pull fixes it.

    Args:
        embeddings: E, the language model's embeddings of the pieces, (pieces, width); frozen.
        blank: where the blank vector starts, (width,); trained.
        pull_weight: of the pull.
        sampled: so many of the pieces that a batch does not say are drawn for it, the others left out; None for all.
    """

    embeddings: Tensor

    def __init__(self, embeddings: Tensor, blank: Tensor, pull_weight: float, sampled: int | None = None) -> None:
        super().__init__()
        self.register_buffer("embeddings", embeddings, persistent=False)
        self.blank = nn.Parameter(blank.clone())
        self.log_scale = nn.Parameter(torch.zeros(()))
        self.pull_weight, self.sampled = pull_weight, sampled

    def classes(self, numbers: Tensor | None = None) -> Tensor:
        """Vectors of some classes, of which the first must be the blank, or of all: (classes, width)."""
        pieces = self.embeddings if numbers is None else self.embeddings[numbers[1:] - 1]
        return torch.cat([self.blank[None], pieces])

    def logits(self, vectors: Tensor, classes: Tensor) -> Tensor:
        """-s |x - E(v)|^2 but for -s |x|^2, which is the same for all classes: (..., classes), float32."""
        distances = 2 * (vectors @ classes.T).float() - classes.square().sum(dim=1)
        return self.log_scale.exp() * distances

    def forward(self, vectors: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor, seed: int = 0) -> Loss:
        """The loss of a batch.

        Args:
            vectors: the tower's, (batch, time, width).
            lengths: vectors of each clip, (batch,).
            targets: classes, padded, (batch, labels).
            target_lengths: labels of each clip, (batch,).
            seed: of the drawn pieces.
        """
        drawn = drawn_classes(targets, 1 + len(self.embeddings), self.sampled, seed)
        classes = self.classes(drawn.numbers)
        log_probabilities = (self.logits(vectors, classes) + drawn.log_weights).log_softmax(dim=2)
        # a clip with more labels than vectors has no alignment: it teaches nothing instead of an infinite loss
        losses = ctc_loss(
            log_probabilities.transpose(0, 1),
            drawn.places(targets),
            lengths,
            target_lengths,
            blank=BLANK,  # the least class, so the first of those drawn
            reduction="none",
            zero_infinity=True,
        )
        ctc = losses.sum() / target_lengths.sum()
        with torch.no_grad():
            expected = log_probabilities.exp().to(vectors.dtype) @ classes.to(vectors.dtype)
            norm = self.embeddings.square().sum(dim=1).mean()
            there = present(lengths, vectors.shape[1]).float()
            silent = log_probabilities[..., BLANK].exp() * there
        distances = (vectors.float() - expected.float()).square().sum(dim=2) / norm
        pull = (_mean(distances, silent) + _mean(distances, there - silent)) / 2
        return Loss(ctc + self.pull_weight * pull, ctc, pull)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean; 0 where nothing has a weight."""
    return (values * weights).sum() / weights.sum().clamp(min=1e-6)
