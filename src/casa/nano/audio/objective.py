"""What the tower learns: its vectors are the embeddings of the pieces that are heard, and a blank vector elsewhere."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import ctc_loss

from casa.nano.audio.head import present
from casa.nano.audio.labels import BLANK


class Loss(NamedTuple):
    """Loss and its parts, scalars.

    Attributes:
        total: what is minimized.
        ctc: connectionist temporal classification, nats a label.
        pull: squared distance from the expected embedding over the embeddings' mean squared norm, mean over vectors.
    """

    total: Tensor
    ctc: Tensor
    pull: Tensor


class Drawn(NamedTuple):
    """The classes that stand for all in one batch.

    Attributes:
        numbers: of the classes, (drawn,); first those that the batch says, the blank among them, ascending.
        log_weights: for how many classes each stands, (drawn,), nats: the softmax's denominator is right in the mean.
        targets: the batch's classes by their place among the drawn ones.
    """

    numbers: Tensor
    log_weights: Tensor
    targets: Tensor


def drawn_classes(targets: Tensor, classes: int, sampled: int | None, seed: int) -> Drawn:
    """All classes that a batch says, and `sampled` of the others (sampled softmax: Jean et al. 2015, arXiv 1412.2007).

    Args:
        targets: classes, padded with the blank, (batch, labels).
        classes: how many there are.
        sampled: of those that the batch does not say; None for all.
        seed: of the draw.
    """
    said = torch.unique(torch.cat([targets.flatten(), targets.new_tensor([BLANK])]))
    silent = torch.ones(classes, dtype=torch.bool, device=targets.device)
    silent[said] = False
    others = silent.nonzero()[:, 0]
    n = len(others) if sampled is None else min(sampled, len(others))
    order = torch.randperm(len(others), generator=torch.Generator().manual_seed(seed)).to(others.device)
    log_weights = torch.zeros(len(said) + n, device=targets.device)
    log_weights[len(said) :] = math.log(len(others) / n) if n else 0.0
    return Drawn(torch.cat([said, others[order[:n]]]), log_weights, torch.searchsorted(said, targets))


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

    def classes(self) -> Tensor:
        """Vectors of all classes, the blank's first: (1 + pieces, width)."""
        return torch.cat([self.blank[None], self.embeddings])

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
        classes = self.classes()[drawn.numbers]
        log_probabilities = (self.logits(vectors, classes) + drawn.log_weights).log_softmax(dim=2)
        # a clip with more labels than vectors has no alignment: it teaches nothing instead of an infinite loss
        losses = ctc_loss(
            log_probabilities.transpose(0, 1),
            drawn.targets,
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
        distances = (vectors.float() - expected.float()).square().sum(dim=2)
        pull = distances[present(lengths, vectors.shape[1])].mean() / norm
        return Loss(ctc + self.pull_weight * pull, ctc, pull)
