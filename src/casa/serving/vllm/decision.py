"""The safety-token step on a batch of vLLM's logits, whichever of its interfaces brings them."""

from __future__ import annotations

import torch
from torch import Tensor

from casa.method.gate import decide
from casa.serving.vllm.settings import ServedSettings

NOTHING_GIVEN = -1


def decide_rows(logits: Tensor, first: Tensor, forged: Tensor, given: Tensor, settings: ServedSettings) -> Tensor:
    """Leaves one safety token on rows that begin an answer, and bans both on all others; in place.

    Later rows of an answer whose beginning is given get the next token of it.

    Fail closed: where a safety logit is not finite (also where something has masked both), the first token is the unsafe one. On
    later rows it is the token that ends the answer, wherever NaN or infinity shows that the states behind it cannot be trusted;
    minus infinity is a mask, and masks are ordinary there.

    Args:
        logits: gated, before sampling, in float32, shape (rows, vocabulary).
        first: whether a row begins an answer, shape (rows,).
        forged: whether a row's prompt holds a safety token, which no chat template writes, shape (rows,).
        given: id that a later row must get, or `NOTHING_GIVEN`, shape (rows,). An answer ends where it is no ordinary token.
        settings: tokens and threshold.
    """
    gated = torch.stack([logits[:, token] for token in settings.tokens], dim=-1)
    broken = ~(gated < torch.inf).all(-1)
    forced = first | broken | (given != NOTHING_GIVEN)
    for token in settings.tokens:
        logits[:, token] = -torch.inf
    if logits.is_cpu and not forced.any():  # most steps; to ask costs nothing on a CPU, and makes a GPU wait
        return logits
    unsafe = decide(gated, settings.config.threshold).unsafe | forged
    verdict = torch.where(unsafe, settings.tokens.unsafe, settings.tokens.safe)
    ordinary = (given < logits.shape[1]) & (given != settings.tokens.safe) & (given != settings.tokens.unsafe)
    following = torch.where((given != NOTHING_GIVEN) & ordinary & ~broken, given, settings.stop_id)
    chosen = torch.where(first, verdict, following)[:, None]
    logits.masked_fill_(forced[:, None], -torch.inf)
    return logits.scatter_(1, chosen, torch.where(forced[:, None], 0.0, logits.gather(1, chosen)))
