"""An adaptive white-box attack: an attacker who knows weights and method searches for a suffix that turns the verdict to "safe".

It attacks the gated margin, z_unsafe + log v_s - z_safe - log(1 - v_s), so the token's logits and v_s at once, with gradients
through safety attention too. A defence that is not attacked so is not evaluated (Carlini et al. 2019, arXiv 1902.06705).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from typing import Any

import torch
from torch import Tensor

from casa.method.gate import gate_logits
from casa.model.casa_model import CasaModel
from casa.model.decoding import on_hidden_states

_START = " ! ! ! ! ! ! ! ! ! !"


@dataclass(frozen=True)
class Attempt:
    """Where an attack stands.

    Attributes:
        step: from 0, before the first change.
        p_unsafe: of the model's real verdict on the conversation as it would be sent.
        text: the user's text so far; None for an attack on media.
    """

    step: int
    p_unsafe: float
    text: str | None = None


def suffix_attack(
    casa: CasaModel, query: str, steps: int, candidates: int = 64, top_k: int = 64, seed: int = 0
) -> Iterator[Attempt]:
    """Greedy coordinate gradient (Zou et al. 2023, arXiv 2307.15043) on the verdict: a suffix, changed token by token.

    The gradient proposes exchanges of tokens; each candidate is judged as text through the model's own tokenizer and
    hardening, so that an attempt's p_unsafe is what the model would really say.

    Args:
        casa: the model.
        query: what the suffix is put behind.
        steps: most exchanges; it ends before if the verdict is "safe".
        candidates: tried at each step.
        top_k: tokens that each position chooses from.
        seed: of the choice of candidates.

    Yields:
        The best attempt so far, before the first step and after each.
    """
    rng = random.Random(seed)
    allowed = _plain_tokens(casa)
    suffix = _START
    best = casa.classify(_user(query + suffix)).p_unsafe
    yield Attempt(0, best, query + suffix)
    for step in range(1, steps + 1):
        if best < casa.config.threshold:
            return
        ids, start, end = _span(casa, query, suffix)
        gradient = _token_gradient(casa, ids, start, end).masked_fill(~allowed, torch.inf)
        choices = gradient.topk(top_k, largest=False).indices.tolist()
        tried = [_exchanged(casa, ids[start:end], choices, rng) for _ in range(candidates)]
        verdicts = casa.classify([_user(query + text) for text in tried])
        p_unsafe, text = min((v.p_unsafe, text) for v, text in zip(verdicts, tried, strict=True))
        if p_unsafe < best:
            best, suffix = p_unsafe, text
        yield Attempt(step, best, query + suffix)


def gated_margin(casa: CasaModel, inputs: dict[str, Tensor]) -> Tensor:
    """The gated margin of one prompt, differentiable by its inputs, shape ()."""
    states: list[Tensor] = []
    handle = on_hidden_states(casa.base_model, casa.config.hidden_state, states.append)
    try:
        with torch.enable_grad():
            logits = casa.base_model(**inputs, use_cache=False).logits[:, -1]
            scores = casa.safety_attention.scores(states[0], stop_gradient=False)
            risk = casa.safety_attention.pool(scores, inputs["attention_mask"])
            tokens = casa.tokens
            gated = gate_logits(logits[:, tokens.safe], logits[:, tokens.unsafe], risk, casa.config.gate)
            return (gated[:, 1] - gated[:, 0]).sum()
    finally:
        handle.remove()


def margin_of(p_unsafe: float) -> float:
    """The gated margin behind a probability, finite for 0 and 1."""
    p = min(max(p_unsafe, 1e-7), 1 - 1e-7)
    return log(p / (1 - p))


def _user(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def _token_gradient(casa: CasaModel, ids: list[int], start: int, end: int) -> Tensor:
    """How the margin would change if a token of the span were another, to first order, shape (span, vocabulary)."""
    embedding = casa.base_model.get_input_embeddings()
    leaves: list[Tensor] = []

    def cut(module: Any, args: Any, output: Tensor) -> Tensor:
        leaves.append(output.detach().requires_grad_(True))
        return leaves[0]

    handle = embedding.register_forward_hook(cut)
    try:
        whole = torch.tensor([ids], device=casa.device)
        margin = gated_margin(casa, {"input_ids": whole, "attention_mask": torch.ones_like(whole)})
    finally:
        handle.remove()
    (gradient,) = torch.autograd.grad(margin, leaves[0])
    return gradient[0, start:end].float() @ embedding.weight.detach().float().T


def _span(casa: CasaModel, query: str, suffix: str) -> tuple[list[int], int, int]:
    """Ids of the prompt with the suffix, and where in them the suffix begins and ends."""
    plain = casa.chat.prompt(_user(query)).inputs["input_ids"][0].tolist()
    ids: list[int] = casa.chat.prompt(_user(query + suffix)).inputs["input_ids"][0].tolist()
    start = next(i for i, (a, b) in enumerate(zip(plain, ids, strict=False)) if a != b)
    behind = len(plain) - start
    return ids, start, max(start + 1, len(ids) - behind)


def _exchanged(casa: CasaModel, suffix: list[int], choices: list[list[int]], rng: random.Random) -> str:
    """The suffix with one token exchanged for one of its position's choices."""
    position = rng.randrange(len(suffix))
    changed = [*suffix[:position], rng.choice(choices[position]), *suffix[position + 1 :]]
    text: str = casa.chat.tokenizer.decode(changed)
    return text


def _plain_tokens(casa: CasaModel) -> Tensor:
    """Which tokens are printable ASCII and no control token, shape (vocabulary,)."""
    size = casa.base_model.get_input_embeddings().weight.shape[0]
    allowed = torch.zeros(size, dtype=torch.bool, device=casa.device)
    for token in range(min(size, len(casa.chat.tokenizer))):
        text = casa.chat.tokenizer.decode([token])
        allowed[token] = text.isascii() and text.isprintable() and token not in casa.chat.control.ids
    return allowed
