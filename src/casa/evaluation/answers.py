"""Answers to many single prompts at once, for measurements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

from casa.baselines.pretrained import Undefended
from casa.data.held_out import batches_of_like_length
from casa.model.casa_model import CasaModel
from casa.model.messages import ChatFormat, collate_prompts
from casa.model.outputs import Verdict


def undefended_answers(base: Undefended, texts: Sequence[str], max_new_tokens: int, batch_size: int) -> list[str]:
    """The base model's greedy answers to user messages, in their order."""

    def run(inputs: dict[str, Tensor], _: list[int]) -> Tensor:
        generated: Tensor = base.model.generate(**inputs, do_sample=False, max_new_tokens=max_new_tokens)
        return generated

    return _answers(base.model, base.chat, texts, batch_size, run, 0, "answers without CASA")


def casa_answers(
    casa: CasaModel, texts: Sequence[str], max_new_tokens: int, batch_size: int
) -> tuple[list[str], list[Verdict]]:
    """CASA's greedy answers and verdicts on user messages, in their order."""
    verdicts: dict[int, Verdict] = {}

    def run(inputs: dict[str, Tensor], indices: list[int]) -> Tensor:
        arguments: dict[str, Any] = {**inputs, "do_sample": False}
        generated: Tensor = casa.generate(
            **arguments,
            max_new_tokens=1 + max_new_tokens,
            on_verdicts=lambda found: verdicts.update(zip(indices, found, strict=True)),
        )
        return generated

    answers = _answers(casa.base_model, casa.chat, texts, batch_size, run, 1, "answers with CASA")
    return answers, [verdicts[i] for i in range(len(texts))]


def forced_answers(
    casa: CasaModel, texts: Sequence[str], token: int, max_new_tokens: int, batch_size: int
) -> list[str]:
    """Greedy answers after a given safety token, whatever the verdict: shows whether the answer follows the token."""

    def run(inputs: dict[str, Tensor], _: list[int]) -> Tensor:
        rows = len(inputs["input_ids"])
        column = torch.full((rows, 1), token, device=inputs["input_ids"].device)
        forced = {
            "input_ids": torch.cat([inputs["input_ids"], column], 1),
            "attention_mask": torch.cat([inputs["attention_mask"], torch.ones_like(column)], 1),
        }
        generated: Tensor = casa.base_model.generate(**forced, do_sample=False, max_new_tokens=max_new_tokens)
        return generated

    return _answers(casa.base_model, casa.chat, texts, batch_size, run, 1, "answers after a forced token")


@torch.inference_mode()
def _answers(
    model: Any, chat: ChatFormat, texts: Sequence[str], batch_size: int, run: Any, skipped: int, description: str
) -> list[str]:
    """Decoded answers without their first `skipped` tokens; batches hold texts of like length."""
    batches = list(batches_of_like_length(texts, batch_size))
    pad, device = chat.tokenizer.pad_token_id, model.get_input_embeddings().weight.device
    answers: dict[int, str] = {}
    for indices in track(batches, description, console=Console(stderr=True)):
        prompts = [chat.prompt([{"role": "user", "content": texts[i]}]).inputs for i in indices]
        inputs = {name: tensor.to(device) for name, tensor in collate_prompts(prompts, pad).items()}
        generated = run(inputs, indices)[:, inputs["input_ids"].shape[1] + skipped :]
        for i, row in zip(indices, generated, strict=True):
            answers[i] = chat.tokenizer.decode(row, skip_special_tokens=True).strip()
    return [answers[i] for i in range(len(texts))]
