"""Trains safety attention alone on cached hidden states of a frozen model: minutes where LoRA takes hours."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from casa.data.held_out import batches_of_like_length
from casa.data.reading import Example
from casa.method.gate import gate_logits
from casa.method.objective import IGNORED, conditional_loss
from casa.model.casa_model import CasaModel
from casa.model.decoding import on_hidden_states
from casa.model.messages import collate_prompts


@dataclass(frozen=True)
class CachedStates:
    """What the decision is made from, for each of n prompts.

    Attributes:
        hidden: the prompt's hidden states, each (tokens, width).
        logits: of the safe and the unsafe token at the last position, shape (n, 2).
        malicious: the labels, shape (n,).
    """

    hidden: list[Tensor]
    logits: Tensor
    malicious: Tensor


@torch.no_grad()
def cache_states(casa: CasaModel, examples: Sequence[Example], batch_size: int) -> CachedStates:
    """Hidden states and logits of some queries; one prefill each."""
    hidden: dict[int, Tensor] = {}
    logits = torch.zeros(len(examples), 2)
    seen: list[Tensor] = []
    handle = on_hidden_states(casa.base_model, casa.config.hidden_state, seen.append)
    texts = [example.text for example in examples]
    pad = casa.chat.tokenizer.pad_token_id
    try:
        for indices in track(
            list(batches_of_like_length(texts, batch_size)), "hidden states", console=Console(stderr=True)
        ):
            prompts = [casa.chat.prompt([{"role": "user", "content": texts[i]}]).inputs for i in indices]
            inputs = {name: tensor.to(casa.device) for name, tensor in collate_prompts(prompts, pad).items()}
            output = casa.base_model(**inputs, use_cache=False)
            logits[indices] = output.logits[:, -1, list(casa.tokens)].float().cpu()
            states, mask = seen.pop(), inputs["attention_mask"].bool()
            hidden.update({i: row[kept].cpu() for i, row, kept in zip(indices, states, mask, strict=True)})
    finally:
        handle.remove()
    malicious = torch.tensor([example.malicious for example in examples])
    return CachedStates([hidden[i].clone() for i in range(len(examples))], logits, malicious)


def fit_attention(
    casa: CasaModel,
    states: CachedStates,
    epochs: int,
    learning_rate: float,
    weight_decay: float,
    batch_size: int = 128,
    seed: int = 0,
) -> None:
    """Fits safety attention to cached states, by the verdict's and v_s's parts of the conditional loss; cosine decay."""
    attention, config = casa.safety_attention, casa.config
    optimizer = torch.optim.AdamW(attention.parameters(), lr=learning_rate, weight_decay=weight_decay)
    steps = epochs * math.ceil(len(states.hidden) / batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    batches = _shuffled(len(states.hidden), batch_size, epochs, seed)
    for indices in track(batches, "safety attention", total=steps, console=Console(stderr=True)):
        hidden, mask = _padded([states.hidden[i] for i in indices])
        risk = attention(hidden, mask)
        logits = states.logits[indices].to(risk.risk.device)
        gated = gate_logits(logits[:, 0], logits[:, 1], risk, config.gate)
        no_response = torch.full((len(indices), 1), IGNORED, device=gated.device)
        loss = conditional_loss(
            gated,
            states.malicious[indices].to(gated.device),
            gated.new_zeros(len(indices), 1, 1),
            no_response,
            risk,
            config.beta,
            config.risk_loss_weight,
        )
        optimizer.zero_grad()
        loss.total.backward()
        torch.nn.utils.clip_grad_norm_(attention.parameters(), 1.0)
        optimizer.step()
        schedule.step()


def _shuffled(n: int, batch_size: int, epochs: int, seed: int) -> Iterator[list[int]]:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        yield from (part.tolist() for part in torch.randperm(n, generator=generator).split(batch_size))


def _padded(hidden: list[Tensor]) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(states) for states in hidden])
    padded = pad_sequence(hidden, batch_first=True).float()
    return padded, (torch.arange(padded.shape[1]) < lengths[:, None]).long()
