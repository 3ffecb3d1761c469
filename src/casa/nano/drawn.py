"""Sampled softmax: in one batch, some classes stand for all (Jean et al. 2015, arXiv 1412.2007).

Thousands of pieces make the output layer the dearest part of a small tower's step. A batch says some hundred of them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Drawn(NamedTuple):
    """The classes that stand for all in one batch.

    Attributes:
        said: those that the batch says, ascending.
        numbers: `said`, then those that were drawn from the others, (drawn,).
        log_weights: for how many classes each of them stands, (drawn,), nats; added to the logits, they make the softmax's
            denominator right in the mean.
    """

    said: Tensor
    numbers: Tensor
    log_weights: Tensor

    def places(self, classes: Tensor) -> Tensor:
        """Where classes that the batch says are among the drawn ones; negative numbers, which are no classes, stay."""
        return torch.where(classes < 0, classes, torch.searchsorted(self.said, classes))


def drawn_classes(said: Tensor, classes: int, sampled: int | None, seed: int) -> Drawn:
    """All classes that a batch says, the first one (the blank) always, and some of the others.

    Args:
        said: classes of a batch, of any shape; negative ones do not count.
        classes: how many there are.
        sampled: how many of the others are drawn; None for all.
        seed: of the draw.
    """
    found = torch.unique(said.clamp(min=0).flatten())
    if not len(found) or found[0] != 0:
        found = torch.cat([found.new_zeros(1), found])
    silent = torch.ones(classes, dtype=torch.bool, device=said.device)
    silent[found] = False
    others = silent.nonzero()[:, 0]
    n = len(others) if sampled is None else min(sampled, len(others))
    order = torch.randperm(len(others), generator=torch.Generator().manual_seed(seed)).to(others.device)
    log_weights = torch.zeros(len(found) + n, device=said.device)
    log_weights[len(found) :] = math.log(len(others) / n) if n else 0.0
    return Drawn(found, torch.cat([found, others[order[:n]]]), log_weights)
