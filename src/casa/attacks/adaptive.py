"""An adaptive white-box attack: an attacker who knows weights and method searches for a suffix that gets a query answered.

It follows the gradient of what the defence itself hangs on (`Target.objectives`), so that every method meets objectives of its own.
A defence that is not attacked so is not evaluated (Carlini et al. 2019, arXiv 1902.06705).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from casa.model.batching import model_inputs
from casa.model.messages import ChatFormat, Message, Prompt

_START = " ! ! ! ! ! ! ! ! ! !"  # its length in tokens is the longest that a suffix may have


class Objective(Protocol):
    """Something that stands in the attacker's way."""

    @property
    def model(self) -> Any:
        """What reads the conversation; the attacker follows the gradient to its embeddings."""

    @property
    def chat(self) -> ChatFormat:
        """Its chat format."""

    def loss(self, inputs: dict[str, Tensor]) -> Tensor:
        """What the attacker lowers, shape (batch,); differentiable by the embeddings."""


class Target(Protocol):
    """A defence as an attacker who has its weights sees it."""

    @property
    def objectives(self) -> Sequence[Objective]:
        """What is to be lowered, one after the other: each but the last is passed where its loss is negative."""

    def broken(self, messages: Sequence[Message]) -> bool:
        """Whether the user would get an answer to the conversation as it would be sent."""


class Standing(NamedTuple):
    """How far a text has come; the smaller, the nearer to an answer.

    Attributes:
        passed: minus the number of objectives that are passed.
        loss: of the next one.
    """

    passed: int
    loss: float


@dataclass(frozen=True)
class Attempt:
    """Where an attack stands.

    Attributes:
        step: from 0, before the first change.
        loss: of the objective that is lowered, on the conversation as it would be sent.
        broken: whether that gets past the defence.
        text: the user's text so far; None for an attack on media.
        objective: number of the objective that is lowered, from 0.
    """

    step: int
    loss: float
    broken: bool
    text: str | None = None
    objective: int = 0


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
    searches = [_Search(objective, query) for objective in target.objectives]
    best = _START
    (standing,) = _standings(searches, [best])
    broken = target.broken(_user(query + best))
    yield Attempt(0, standing.loss, broken, query + best, -standing.passed)
    for step in range(1, steps + 1):
        if broken:
            return
        if tried := searches[-standing.passed].exchanged(best, candidates, top_k, rng):
            reached, found = min(zip(_standings(searches, tried), tried, strict=True), key=lambda pair: pair[0])
            if reached < standing:
                standing, best = reached, found
                broken = target.broken(_user(query + best))
        yield Attempt(step, standing.loss, broken, query + best, -standing.passed)


def _standings(searches: Sequence[_Search], suffixes: Sequence[str]) -> list[Standing]:
    """How far each suffix has come; an objective is only asked for those that have passed the ones before it."""
    found: dict[int, Standing] = {}
    left = list(range(len(suffixes)))
    for number, search in enumerate(searches):
        losses = search.losses([suffixes[i] for i in left]) if left else []
        found |= {i: Standing(-number, loss) for i, loss in zip(left, losses, strict=True)}
        left = [i for i, loss in zip(left, losses, strict=True) if loss < 0]
    return [found[i] for i in range(len(suffixes))]


class _Suffixed(NamedTuple):
    prompt: Prompt
    start: int  # where in its ids the suffix begins
    end: int  # and where it ends

    @property
    def ids(self) -> list[int]:
        return _ids(self.prompt)[self.start : self.end]


class _Search:
    """Suffixes behind one query, as the model of one objective reads them."""

    def __init__(self, objective: Objective, query: str) -> None:
        self._objective, self._query = objective, query
        self._plain = _ids(objective.chat.prompt(_user(query)))
        self._first = self.suffixed(_START)

    def suffixed(self, suffix: str) -> _Suffixed:
        """The prompt with a suffix behind the query."""
        prompt = self._objective.chat.prompt(_user(self._query + suffix))
        ids = _ids(prompt)
        pairs = enumerate(zip(self._plain, ids, strict=False))
        start = next((i for i, (a, b) in pairs if a != b), len(self._plain))
        return _Suffixed(prompt, start, len(ids) - (len(self._plain) - start))

    @torch.no_grad()
    def losses(self, suffixes: Sequence[str]) -> list[float]:
        """The loss of each; one that is no number counts as infinite, for defences fail closed."""
        losses = self._objective.loss(self._inputs([self.suffixed(suffix) for suffix in suffixes])).float()
        values: list[float] = losses.where(losses.isfinite(), torch.inf).tolist()
        return values

    def exchanged(self, suffix: str, number: int, top_k: int, rng: random.Random) -> list[str]:
        """The suffix with one token exchanged for one that the gradient proposes, so many times; those that do not fit left out."""
        found = self.suffixed(suffix)
        gradient = self.token_gradient(found).masked_fill(~self._allowed, torch.inf)
        choices = gradient.topk(top_k, largest=False).indices.tolist()
        tried = []
        for _ in range(number):
            position = rng.randrange(len(choices))
            ids = [*found.ids[:position], rng.choice(choices[position]), *found.ids[position + 1 :]]
            tried.append(self._objective.chat.tokenizer.decode(ids))
        return [text for text in tried if self._fits(text)]

    def token_gradient(self, found: _Suffixed) -> Tensor:
        """How the loss would change if a token of the suffix were another, to first order, shape (suffix, vocabulary)."""
        embedding = self._objective.model.get_input_embeddings()
        leaves: list[Tensor] = []  # one a forward pass: some losses take several

        def cut(module: Any, args: Any, output: Tensor) -> Tensor:
            leaves.append(output.detach().requires_grad_(True))
            return leaves[-1]

        with torch.enable_grad(), embedding.register_forward_hook(cut):
            loss = self._objective.loss(self._inputs([found])).sum()
        gradients = torch.autograd.grad(loss, leaves)
        gradient = torch.stack([one[0, found.start : found.end].float() for one in gradients]).sum(0)
        return gradient @ embedding.weight.detach().float().T

    def _fits(self, suffix: str) -> bool:
        """Whether the query's own tokens are still there, and the suffix is there and no longer than the first one."""
        found = self.suffixed(suffix)
        return found.start == self._first.start and found.start < found.end <= self._first.end

    def _inputs(self, found: Sequence[_Suffixed]) -> dict[str, Tensor]:
        chat, model = self._objective.chat, self._objective.model
        return model_inputs(model, [one.prompt for one in found], chat.tokenizer.pad_token_id or 0)

    @cached_property
    def _allowed(self) -> Tensor:
        """Which tokens are printable ASCII and no control token, shape (vocabulary,)."""
        weight, chat = self._objective.model.get_input_embeddings().weight, self._objective.chat
        allowed = torch.zeros(len(weight), dtype=torch.bool, device=weight.device)
        for token in range(min(len(weight), len(chat.tokenizer))):
            text = chat.tokenizer.decode([token])
            allowed[token] = text.isascii() and text.isprintable() and token not in chat.control.ids
        return allowed


def _user(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def _ids(prompt: Prompt) -> list[int]:
    found: list[int] = prompt.inputs["input_ids"][0].tolist()
    return found
