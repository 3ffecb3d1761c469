"""Self-distillation: benign queries get the base model's own answers, so that training keeps its utility."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track

from casa.data.held_out import batches_of_like_length
from casa.data.reading import Example
from casa.model.batching import collate_prompts
from casa.model.messages import ChatFormat
from casa.model.refusal import is_refusal
from casa.training import ranks


@torch.inference_mode()
def base_answers(
    base_model: Any, chat: ChatFormat, examples: Sequence[Example], max_new_tokens: int, batch_size: int, cache: Path
) -> dict[str, list[int]]:
    """Greedy answers of the undefended model, as token ids by `Example.key`; an answer that ended has its end-of-turn.

    Every finished batch is appended to `cache` and not answered again. Batches go by length, shortest first, so that the rest of
    an interrupted run falls into the same batches as without the interruption. Several ranks answer one batch each at a time, and
    the main one writes.

    Args:
        base_model: without CASA.
        chat: its chat format.
        examples: what is answered.
        max_new_tokens: longest answer.
        batch_size: prompts at a time.
        cache: JSON Lines file of {"text", "ids"}.
    """
    with ranks.main_first():
        answers = _read_cache(cache)
    rank, count = ranks.number()
    end, pad = chat.end_of_turn_id(), chat.tokenizer.pad_token_id
    asked = {example.key(): example for example in examples}
    missing = sorted(asked.keys() - answers.keys())
    todo = [[missing[i] for i in indices] for indices in batches_of_like_length(missing, batch_size)]
    rounds = [todo[i : i + count] for i in range(0, len(todo), count)]
    silent = not (rounds and ranks.is_main())
    for batches in track(rounds, "base model's own answers", console=Console(stderr=True), disable=silent):
        found: dict[str, list[int]] = {}
        if batch := batches[rank] if rank < len(batches) else []:
            prompts = [chat.prompt(asked[key].messages()).inputs for key in batch]
            inputs = {k: v.to(base_model.device) for k, v in collate_prompts(prompts, pad).items()}
            output = base_model.generate(**inputs, do_sample=False, max_new_tokens=max_new_tokens, eos_token_id=end)
            rows = output[:, inputs["input_ids"].shape[1] :].tolist()
            found = {
                text: row[: row.index(end) + 1] if end in row else row for text, row in zip(batch, rows, strict=True)
            }
        together = {text: ids for part in ranks.from_all(found) for text, ids in part.items()}
        if ranks.is_main():
            _append(cache, together)
        answers.update(together)
    return {key: answers[key] for key in asked}


def share_base_answers(cache: Path) -> None:
    """Gives a run's folder the answers that runs beside it have, if it has none of its own: they are the same in all runs.

    Args:
        cache: the file that the run will use.
    """
    written = sorted(cache.parent.parent.glob(f"*/{cache.name}"), key=lambda path: path.stat().st_size)
    if written and not cache.is_file():
        cache.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(written[-1], cache)


def _append(cache: Path, answers: dict[str, list[int]]) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    with cache.open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps({"text": text, "ids": ids}) + "\n" for text, ids in answers.items()))


def with_base_answers(examples: Sequence[Example], answers: dict[str, list[int]], chat: ChatFormat) -> list[Example]:
    """Benign examples answered as the base model does; those it refuses itself are left out."""
    kept, end = [], chat.end_of_turn_id()
    for example in examples:
        if not example.malicious:
            ids = answers[example.key()]
            answer = chat.tokenizer.decode(ids, skip_special_tokens=True).strip()
            if not answer or is_refusal(answer):
                continue
            example = replace(example, answer=answer, complete=end in ids)
        kept.append(example)
    return kept


def _read_cache(cache: Path) -> dict[str, list[int]]:
    """Answers of finished lines; what an interruption left of the last line is cut off the file."""
    if not cache.is_file():
        return {}
    content = cache.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        cache.write_bytes(whole)
    rows = (json.loads(line) for line in whole.decode().split("\n") if line)
    return {row["text"]: row["ids"] for row in rows}
