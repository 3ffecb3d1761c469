"""How v_s reaches whoever asked: in the two scores that vLLM tells of the safety tokens, beside p_unsafe.

vLLM's workers hand back token ids and scores of named tokens, nothing else. Only the difference of the two gated logits
decides, so their sum is free: shifted by a common number, it becomes logit(v_s). From the raw scores (u of the unsafe
token, s of the safe one) both come back:

    p_unsafe = sigmoid(u - s)        v_s = sigmoid(u + s)
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from casa.method.gate import SMALLEST_WEIGHT

LOGPROBS_MODE = "raw_logits"  # vLLM's name for scores that nothing has normalised: the sum survives in these only


class Scores(NamedTuple):
    """What the two scores of one position say.

    Attributes:
        p_unsafe: gated two-way probability of the unsafe token, in [0, 1]; 1 where a score is not finite.
        risk: v_s over all tokens up to this position, in (0, 1); NaN where a score is not finite.
        failed: whether one is not.
    """

    p_unsafe: float
    risk: float
    failed: bool


def with_risk(gated: Tensor, weights: Tensor) -> Tensor:
    """Gated logits with logit(v_s) as their sum and their difference unchanged; shape (rows, 2), order (safe, unsafe).

    Args:
        gated: in float32, shape (rows, 2).
        weights: 1 - v_s and v_s in float32, shape (rows, 2).
    """
    complement, risk = weights.clamp(min=SMALLEST_WEIGHT).log().unbind(-1)
    half = (gated[:, 1] - gated[:, 0]) / 2
    middle = (risk - complement) / 2
    return torch.stack([middle - half, middle + half], dim=-1)


def read_scores(safe: float, unsafe: float) -> Scores:
    """What `with_risk` put into two scores."""
    if not (math.isfinite(safe) and math.isfinite(unsafe)):
        return Scores(1.0, math.nan, True)
    return Scores(_sigmoid(unsafe - safe), _sigmoid(unsafe + safe), False)


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
