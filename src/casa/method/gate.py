"""The gate at the safety-token step: v_s meets the two logits, and the token is decided."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import torch
from torch import Tensor

from casa.method.attention import SafetyRisk
from casa.method.config import Gate

SMALLEST_WEIGHT = 1e-6  # v_s and 1 - v_s are clamped from below, so that their logarithms stay finite


class Decision(NamedTuple):
    """The decided safety token of each row of a batch.

    Attributes:
        p_unsafe: gated two-way probability of the unsafe token, in [0, 1]; 1.0 where the decision failed, shape (batch,).
        unsafe: whether the unsafe token is emitted, shape (batch,).
        failed: whether a non-finite value made the decision unreliable (then `unsafe` is True), shape (batch,).
    """

    p_unsafe: Tensor
    unsafe: Tensor
    failed: Tensor


def gate_logits(safe_logit: Tensor, unsafe_logit: Tensor, risk: SafetyRisk, gate: Gate) -> Tensor:
    """Gated logits of the two safety tokens, in float32, shape (batch, 2), order (safe, unsafe).

    "log" adds log v_s to the unsafe logit and log(1 - v_s) to the safe one, so v_s near 1 always favours "unsafe".
    "scale" multiplies instead (the paper's wording): right only where both logits are positive, for a negative logit times
    a weight near 1 is *lower* than times a weight near 0. "none" leaves the logits alone.

    Args:
        safe_logit: z_safe at the last prompt position, shape (batch,).
        unsafe_logit: z_unsafe, shape (batch,).
        risk: v_s and 1 - v_s.
        gate: one of the three.
    """
    logits = torch.stack([safe_logit, unsafe_logit], dim=-1).float()
    if gate == "none":
        return logits
    weights = torch.stack([risk.complement, risk.risk], dim=-1).to(logits.device)
    if gate == "scale":
        if bool((logits < 0).any()):
            warnings.warn("gate 'scale' met a negative logit and turns its weight round; use gate 'log'", stacklevel=2)
        return logits * weights
    return logits + weights.clamp(min=SMALLEST_WEIGHT).log()


def decide(gated: Tensor, threshold: float) -> Decision:
    """The verdict of each row: unsafe where p_unsafe >= threshold, or where anything is not finite (fail closed).

    Args:
        gated: from `gate_logits`, shape (batch, 2).
        threshold: in (0, 1].
    """
    failed = ~torch.isfinite(gated).all(-1)
    p_unsafe = gated.softmax(-1)[:, 1].masked_fill(failed, 1.0)
    return Decision(p_unsafe, (p_unsafe.double() >= threshold) | failed, failed)
