"""The loss on conditional targets: the verdict, the response that follows it, and v_s itself."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from casa.method.attention import SafetyRisk
from casa.method.gate import SMALLEST_WEIGHT

IGNORED = -100


class ConditionalLoss(NamedTuple):
    """Parts of the loss, scalars.

    Attributes:
        total: verdict + response + risk_loss_weight * risk.
        verdict: -log P(C | x), over the two safety tokens only (restricted decoding).
        response: -log P(y | x, C), mean over the response's tokens.
        risk: binary cross-entropy of v_s, which goes to 1 on malicious and 0 on benign queries; taken head by head, for in
            the mean a head that has saturated to a constant gets no gradient any more.
    """

    total: Tensor
    verdict: Tensor
    response: Tensor
    risk: Tensor


def conditional_loss(
    gated: Tensor,
    malicious: Tensor,
    response_logits: Tensor,
    response_ids: Tensor,
    risk: SafetyRisk,
    beta: float = 1.0,
    risk_loss_weight: float = 1.0,
    answered: Tensor | None = None,
) -> ConditionalLoss:
    """Cross-entropy on {C_safe, response} and {C_unsafe, refusal}: P(y|x) = P(C|x) * prod P(y_t | x, C, y_<t).

    Every part is a mean over examples in which a malicious one counts `beta` times; the second, over those that have a response,
    which counts by its mean over tokens, so that long answers do not drown the verdict.

    Args:
        gated: gated logits (safe, unsafe), shape (batch, 2).
        malicious: True for malicious queries, shape (batch,).
        response_logits: logits that predict the response tokens, shape (batch, length, vocabulary).
        response_ids: the response tokens, -100 where there is none, shape (batch, length).
        risk: v_s, its complement, and both of each head.
        beta: weight of a malicious example, > 0.
        risk_loss_weight: weight of the third part, >= 0.
        answered: see `response_loss`.
    """
    target = malicious.long()
    weight = class_weights(malicious, beta).to(gated.device)

    verdict = (weight * F.cross_entropy(gated, target, reduction="none")).sum()

    response = response_loss(response_logits, response_ids, weight, answered)

    chosen = risk.heads[torch.arange(len(target)), :, target].clamp(min=SMALLEST_WEIGHT)
    risk_loss = (weight * -chosen.log().mean(-1)).sum()

    total = verdict + response + risk_loss_weight * risk_loss
    return ConditionalLoss(total, verdict, response, risk_loss)


def class_weights(malicious: Tensor, beta: float) -> Tensor:
    """Weights of a batch's examples, shape (batch,), that sum to 1; a malicious one counts `beta` times."""
    weight = torch.where(malicious, beta, 1.0)
    return weight / weight.sum()


def answered_weight(response_ids: Tensor, weight: Tensor) -> Tensor:
    """Summed weight of the examples that have a response, a scalar; arguments as of `response_loss`."""
    return (weight * (response_ids != IGNORED).any(-1)).sum()


def response_loss(logits: Tensor, response_ids: Tensor, weight: Tensor, answered: Tensor | None = None) -> Tensor:
    """-log P(y | what stands before it): a weighted mean over examples that have a response, of each one's mean over tokens.

    Args:
        logits: that predict the response tokens, shape (batch, length, vocabulary).
        response_ids: -100 where there is none, shape (batch, length).
        weight: of the examples, shape (batch,).
        answered: what `answered_weight` is on average over the batches whose losses are averaged into one step's; None where the
            step is this batch. With it the step's loss is the same however its examples are shared out.
    """
    token_loss = F.cross_entropy(
        logits.float().flatten(0, 1), response_ids.flatten(), ignore_index=IGNORED, reduction="none"
    ).view(response_ids.shape)
    lengths = (response_ids != IGNORED).sum(-1)
    each = token_loss.sum(-1) / lengths.clamp(min=1)  # zero without a response
    answered = answered_weight(response_ids, weight) if answered is None else answered
    return (weight * each).sum() / answered.clamp(min=torch.finfo(torch.float32).tiny)
