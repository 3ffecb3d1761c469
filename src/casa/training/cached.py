"""Trains the decision alone on cached hidden states of a frozen model: seconds where LoRA takes hours."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from casa.data.held_out import batches_of_like_length
from casa.data.reading import Example
from casa.method.attention import SafetyAttention, SafetyRisk
from casa.method.config import CasaConfig
from casa.method.gate import gate_logits
from casa.method.objective import IGNORED, conditional_loss
from casa.model.casa_model import CasaModel
from casa.model.decoding import on_hidden_states
from casa.training import ranks

_MOST_CHARACTERS = 100_000  # of a batch whose states are cached: some 25,000 tokens
_MOST_TOKENS = 200_000  # whose cached states are read at once, padding counted: at width 576, 0.5 GB


@dataclass(frozen=True)
class CachedStates:
    """What the decision is made from, for each of n prompts.

    Attributes:
        hidden: the prompt's hidden states (`CasaConfig.hidden_state` says which), each (tokens, width).
        last: what enters the LM head at the last position, shape (n, width).
        logits: of the safe and the unsafe token at the last position, shape (n, 2).
        malicious: the labels, shape (n,).
    """

    hidden: list[Tensor]
    last: Tensor
    logits: Tensor
    malicious: Tensor

    def subset(self, indices: Sequence[int]) -> CachedStates:
        """Some of the prompts."""
        chosen = list(indices)
        hidden = [self.hidden[i] for i in chosen]
        return CachedStates(hidden, self.last[chosen], self.logits[chosen], self.malicious[chosen])


class Decision(nn.Module):
    """The decision as a function of cached states.

    Args:
        attention: safety attention.
        config: its gate and loss weights.
        rows: LM-head rows of the safe and the unsafe token, shape (2, width), if they are trained too; else the cached
            logits stand.
    """

    def __init__(self, attention: SafetyAttention, config: CasaConfig, rows: Tensor | None = None) -> None:
        super().__init__()
        self.attention, self.config = attention, config
        self.rows = None if rows is None else nn.Parameter(rows.detach().float().clone())

    def forward(self, states: CachedStates) -> tuple[Tensor, SafetyRisk]:
        """Gated logits, shape (n, 2), and v_s."""
        hidden, mask = _padded(states.hidden)
        risk = self.attention(hidden, mask)
        logits = states.logits if self.rows is None else states.last.float() @ self.rows.T
        logits = logits.to(risk.risk.device)
        return gate_logits(logits[:, 0], logits[:, 1], risk, self.config.gate), risk

    def loss(self, states: CachedStates) -> Tensor:
        """The conditional loss without its response part."""
        gated, risk = self(states)
        no_response = torch.full((len(gated), 1), IGNORED, device=gated.device)
        parts = (states.malicious.to(gated.device), gated.new_zeros(len(gated), 1, 1), no_response, risk)
        return conditional_loss(gated, *parts, self.config.beta, self.config.risk_loss_weight).total


@torch.no_grad()
def cache_states(casa: CasaModel, examples: Sequence[Example], batch_size: int) -> CachedStates:
    """Hidden states and logits of some queries; one prefill each."""
    hidden: dict[int, Tensor] = {}
    last: dict[int, Tensor] = {}
    logits = torch.zeros(len(examples), 2)
    seen: list[Tensor] = []
    final: list[Tensor] = []
    handles = [
        on_hidden_states(casa.base_model, casa.config.hidden_state, seen.append),
        on_hidden_states(casa.base_model, "final", final.append),
    ]
    texts = [example.key() for example in examples]
    batches = list(batches_of_like_length(texts, batch_size, _MOST_CHARACTERS))
    try:
        for indices in track(batches, "hidden states", console=Console(stderr=True), disable=not ranks.is_main()):
            inputs = casa.collate([casa.chat.prompt(examples[i].messages()) for i in indices])
            with casa.read_prefill(inputs["attention_mask"]):  # so that the LM head runs on the last position only
                output = casa.base_model(**inputs, use_cache=False)
            logits[indices] = output.logits[:, -1, list(casa.tokens)].float().cpu()
            states, ends, mask = seen.pop(), final.pop()[:, -1], inputs["attention_mask"].bool()
            hidden.update({i: row[kept].cpu().clone() for i, row, kept in zip(indices, states, mask, strict=True)})
            last.update(zip(indices, ends.cpu().clone(), strict=True))
    finally:
        for handle in handles:
            handle.remove()
    order = range(len(examples))
    malicious = torch.tensor([example.malicious for example in examples])
    return CachedStates([hidden[i] for i in order], torch.stack([last[i] for i in order]), logits, malicious)


def fit(
    decision: Decision,
    states: CachedStates,
    epochs: int,
    learning_rate: float,
    weight_decay: float,
    token_learning_rate: float = 0.0,
    batch_size: int = 128,
    seed: int = 0,
) -> None:
    """Fits a decision to cached states with AdamW and cosine decay, by the verdict's and v_s's parts of the conditional loss.

    Args:
        decision: what is trained: its safety attention, and its token rows if it has any.
        states: of the training prompts.
        epochs: passes over them.
        learning_rate: of safety attention.
        weight_decay: of its projections.
        token_learning_rate: of the token rows.
        batch_size: prompts a step.
        seed: of their order.
    """
    attention = list(decision.attention.parameters())
    groups = [
        {"params": [p for p in attention if p.ndim > 1], "lr": learning_rate, "weight_decay": weight_decay},
        {"params": [p for p in attention if p.ndim <= 1], "lr": learning_rate, "weight_decay": 0.0},
    ]
    if decision.rows is not None:
        groups.append({"params": [decision.rows], "lr": token_learning_rate, "weight_decay": 0.0})
    optimizer = torch.optim.AdamW(groups)
    steps = epochs * math.ceil(len(states.hidden) / batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    lengths = [len(row) for row in states.hidden]
    weights = torch.where(states.malicious, decision.config.beta, 1.0)
    batches = _shuffled(lengths, batch_size, epochs, seed)
    console = Console(stderr=True)
    for indices in track(batches, "the decision alone", steps, console=console, disable=not ranks.is_main()):
        optimizer.zero_grad()
        for part in _parts(indices, lengths):
            (decision.loss(states.subset(part)) * weights[part].sum() / weights[indices].sum()).backward()
        torch.nn.utils.clip_grad_norm_(decision.parameters(), 1.0)
        optimizer.step()
        schedule.step()


def _shuffled(lengths: Sequence[int], batch_size: int, epochs: int, seed: int) -> Iterator[list[int]]:
    """Batches in random order; those of eight are sorted by length together, so that little is padding."""
    rng = random.Random(seed)
    for _ in range(epochs):
        order = rng.sample(range(len(lengths)), len(lengths))
        span = 8 * batch_size
        parts = [sorted(order[i : i + span], key=lambda i: lengths[i]) for i in range(0, len(order), span)]
        batches = [part[i : i + batch_size] for part in parts for i in range(0, len(part), batch_size)]
        yield from rng.sample(batches, len(batches))


def _parts(batch: Sequence[int], lengths: Sequence[int]) -> Iterator[list[int]]:
    """A batch that is sorted by length, in parts that fit into memory."""
    part: list[int] = []
    for i in batch:
        if part and lengths[i] * (len(part) + 1) > _MOST_TOKENS:
            yield part
            part = []
        part.append(i)
    yield part


def _padded(hidden: list[Tensor]) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(states) for states in hidden])
    padded = pad_sequence(hidden, batch_first=True).float()
    return padded, (torch.arange(padded.shape[1]) < lengths[:, None]).long()
