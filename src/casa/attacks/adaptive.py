"""An adaptive white-box attack: an attacker who knows weights and method searches for a suffix that gets a query past the defence.

It follows the gradient of what the defence itself hangs on (`Target.loss`), so that every method meets an objective of its own. A
defence that is not attacked so is not evaluated (Carlini et al. 2019, arXiv 1902.06705).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from casa.model.batching import model_inputs
from casa.model.messages import ChatFormat, Message, Prompt

_START = " ! ! ! ! ! ! ! ! ! !"  # its length in tokens is the longest that a suffix may have


class Target(Protocol):
    """A defence as an attacker who has its weights sees it."""

    @property
    def model(self) -> Any:
        """What reads the conversation; the attacker follows the gradient to its embeddings."""

    @property
    def chat(self) -> ChatFormat:
        """Its chat format."""

    def loss(self, inputs: dict[str, Tensor]) -> Tensor:
        """What the attacker lowers, shape (batch,): the lower, the likelier is an answer; differentiable by the embeddings."""

    def broken(self, messages: Sequence[Message]) -> bool:
        """Whether the conversation gets past the defence as it would be sent."""


@dataclass(frozen=True)
class Attempt:
    """Where an attack stands.

    Attributes:
        step: from 0, before the first change.
        loss: the target's, on the conversation as it would be sent.
        broken: whether that gets past the defence.
        text: the user's text so far; None for an attack on media.
    """

    step: int
    loss: float
    broken: bool
    text: str | None = None


class _Query(NamedTuple):
    text: str
    ids: list[int]  # of its prompt without a suffix


class _Suffixed(NamedTuple):
    text: str  # of the suffix
    prompt: Prompt
    start: int  # where in its ids the suffix begins
    end: int  # and where it ends

    @property
    def ids(self) -> list[int]:
        return _ids(self.prompt)[self.start : self.end]


def suffix_attack(
    target: Target, query: str, steps: int, candidates: int = 64, top_k: int = 64, seed: int = 0
) -> Iterator[Attempt]:
    """Greedy coordinate gradient (Zou et al. 2023, arXiv 2307.15043): a suffix, changed token by token.

    The gradient proposes exchanges of tokens; each candidate is judged as text through the model's own tokenizer and
    hardening, so that an attempt's loss is that of what would really be sent. The query stays as it is, and the suffix never
    gets more tokens than it begins with.

    Args:
        target: the defence.
        query: what the suffix is put behind.
        steps: most exchanges; it ends before if the defence is broken.
        candidates: tried at each step.
        top_k: tokens that each position chooses from.
        seed: of the choice of candidates.

    Yields:
        The best attempt so far, before the first step and after each.
    """
    rng = random.Random(seed)
    allowed = _plain_tokens(target)
    asked = _Query(query, _ids(target.chat.prompt(_user(query))))
    first = best = _suffixed(target, asked, _START)
    loss = _losses(target, [best])[0]
    broken = target.broken(_user(query + best.text))
    yield Attempt(0, loss, broken, query + best.text)
    for step in range(1, steps + 1):
        if broken:
            return
        gradient = _token_gradient(target, best).masked_fill(~allowed, torch.inf)
        choices = gradient.topk(top_k, largest=False).indices.tolist()
        tried = [_suffixed(target, asked, _exchanged(target, best.ids, choices, rng)) for _ in range(candidates)]
        if fitting := [found for found in tried if _fits(found, first)]:
            lowest, found = min(zip(_losses(target, fitting), fitting, strict=True), key=lambda pair: pair[0])
            if lowest < loss:
                loss, best = lowest, found
                broken = target.broken(_user(query + best.text))
        yield Attempt(step, loss, broken, query + best.text)


def _user(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def _ids(prompt: Prompt) -> list[int]:
    found: list[int] = prompt.inputs["input_ids"][0].tolist()
    return found


def _suffixed(target: Target, query: _Query, suffix: str) -> _Suffixed:
    """The prompt with a suffix behind the query."""
    prompt = target.chat.prompt(_user(query.text + suffix))
    ids = _ids(prompt)
    pairs = enumerate(zip(query.ids, ids, strict=False))
    start = next((i for i, (a, b) in pairs if a != b), len(query.ids))
    return _Suffixed(suffix, prompt, start, len(ids) - (len(query.ids) - start))


def _fits(found: _Suffixed, first: _Suffixed) -> bool:
    """Whether the query's own tokens are still there, and the suffix is there and no longer than the first one."""
    return found.start == first.start and found.start < found.end <= first.end


def _inputs(target: Target, found: Sequence[_Suffixed]) -> dict[str, Tensor]:
    pad_id = target.chat.tokenizer.pad_token_id or 0
    return model_inputs(target.model, [one.prompt for one in found], pad_id)


@torch.no_grad()
def _losses(target: Target, found: Sequence[_Suffixed]) -> list[float]:
    """The loss of each; one that is no number counts as infinite, for defences fail closed."""
    losses = target.loss(_inputs(target, found)).float()
    values: list[float] = losses.where(losses.isfinite(), torch.inf).tolist()
    return values


def _token_gradient(target: Target, found: _Suffixed) -> Tensor:
    """How the loss would change if a token of the suffix were another, to first order, shape (suffix, vocabulary)."""
    embedding = target.model.get_input_embeddings()
    leaves: list[Tensor] = []  # one a forward pass: some losses take several

    def cut(module: Any, args: Any, output: Tensor) -> Tensor:
        leaves.append(output.detach().requires_grad_(True))
        return leaves[-1]

    with torch.enable_grad(), embedding.register_forward_hook(cut):
        loss = target.loss(_inputs(target, [found])).sum()
    gradients = torch.autograd.grad(loss, leaves)
    gradient = torch.stack([one[0, found.start : found.end].float() for one in gradients]).sum(0)
    return gradient @ embedding.weight.detach().float().T


def _exchanged(target: Target, suffix: list[int], choices: list[list[int]], rng: random.Random) -> str:
    """The suffix with one token exchanged for one of its position's choices."""
    position = rng.randrange(len(suffix))
    changed = [*suffix[:position], rng.choice(choices[position]), *suffix[position + 1 :]]
    text: str = target.chat.tokenizer.decode(changed)
    return text


def _plain_tokens(target: Target) -> Tensor:
    """Which tokens are printable ASCII and no control token, shape (vocabulary,)."""
    weight, tokenizer = target.model.get_input_embeddings().weight, target.chat.tokenizer
    allowed = torch.zeros(len(weight), dtype=torch.bool, device=weight.device)
    for token in range(min(len(weight), len(tokenizer))):
        text = tokenizer.decode([token])
        allowed[token] = text.isascii() and text.isprintable() and token not in target.chat.control.ids
    return allowed
