"""Several prompts as one batch."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from casa.model.families import media_batched_alike, packed_media
from casa.model.messages import PER_TOKEN, Prompt


def is_batch(messages: Any) -> bool:
    """Whether this is a list of conversations, not one conversation."""
    return isinstance(messages, Sequence) and bool(messages) and isinstance(messages[0], list | tuple)


def model_inputs(model: Any, prompts: Sequence[Prompt], pad_id: int) -> dict[str, Tensor]:
    """Prompts as one batch on the model's device: padded on the left, media in the type of its weights."""
    batch = collate_prompts([prompt.inputs for prompt in prompts], pad_id, packed_media(model))
    return as_model_takes(batch, model.device, model.dtype)


def collate_prompts(
    prompts: Sequence[dict[str, Tensor]], pad_id: int, packed: frozenset[str] = frozenset()
) -> dict[str, Tensor]:
    """Stacks prompts of batch size 1: per-token tensors are padded on the left, media tensors joined.

    Args:
        prompts: `Prompt.inputs`, each with `input_ids` of shape (1, length).
        pad_id: id that pads `input_ids`; everything else is padded with 0.
        packed: media tensors of one row, in which the media of all prompts lie behind each other along the last axis.
    """
    longest = max(prompt["input_ids"].shape[1] for prompt in prompts)
    batch: dict[str, list[Tensor]] = {}
    for name in dict.fromkeys(name for prompt in prompts for name in prompt):
        for prompt in prompts:
            tensor = prompt.get(name)
            if name in PER_TOKEN:
                given = torch.zeros_like(prompt["input_ids"]) if tensor is None else tensor  # text has type 0
                fill = pad_id if name == "input_ids" else 0
                before = (*(0, 0) * (given.ndim - 2), longest - given.shape[1], 0)
                tensor = torch.nn.functional.pad(given, before, value=fill)
            if tensor is not None:
                batch.setdefault(name, []).append(tensor)
    return {name: torch.cat(tensors, dim=-1) if name in packed else _joined(tensors) for name, tensors in batch.items()}


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors behind each other; where media differ in size, the smaller ones end in zeros, as in a batch of their family."""
    sizes = [max(tensor.shape[axis] for tensor in tensors) for axis in range(1, tensors[0].ndim)]
    padded = []
    for tensor in tensors:
        lacking = [size - found for size, found in zip(sizes, tensor.shape[1:], strict=True)]
        padded.append(torch.nn.functional.pad(tensor, [n for last in reversed(lacking) for n in (0, last)]))
    return torch.cat(padded)


def as_model_takes(batch: Mapping[str, Tensor], device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    """The batch on a device, media in the type of the model's weights (processors give float32 or, Llama 4, bfloat16)."""
    return {
        name: tensor.to(device, dtype if tensor.is_floating_point() and tensor.ndim > 1 else tensor.dtype)
        for name, tensor in batch.items()
    }


def with_given_ids(inputs: Mapping[str, Tensor], given: Sequence[int]) -> dict[str, Tensor]:
    """The same batch with the same ids of text behind every prompt."""
    ids = inputs["input_ids"]
    columns = torch.tensor([list(given)], dtype=ids.dtype, device=ids.device).expand(len(ids), -1)
    text = {"input_ids": columns, "attention_mask": torch.ones_like(columns)}
    return {
        name: torch.cat([tensor, text[name].to(tensor.dtype)], dim=1) if name in text else tensor
        for name, tensor in with_text(inputs, len(given)).items()
    }


def with_text(inputs: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
    """The same batch with room for as many ids of text behind every prompt: what a model is told of tokens beside id and mask."""
    return {
        name: _followed(tensor, number) if name in PER_TOKEN and name not in ("input_ids", "attention_mask") else tensor
        for name, tensor in inputs.items()
    }


def _followed(tensor: Tensor, number: int) -> Tensor:
    """A tensor per token with columns of text behind it: they have type 0, and see the images that the last column sees."""
    last = tensor[:, -1:] if tensor.ndim > 2 else torch.zeros_like(tensor[:, :1])
    return torch.cat([tensor, last.expand(-1, number, *tensor.shape[2:])], dim=1)


def by_prefill(prompts: Sequence[Prompt]) -> list[list[int]]:
    """Indices of prompts in groups that have the same prefill: only such prompts can be answered as one batch."""
    return _groups([tuple(prompt.prefill_ids) for prompt in prompts])


def by_forward_pass(model: nn.Module, prompts: Sequence[Prompt]) -> list[list[int]]:
    """Indices of prompts in groups that may share a forward pass of the model."""
    return by_media(prompts) if media_batched_alike(model) else [list(range(len(prompts)))]


def by_answer(model: nn.Module, prompts: Sequence[Prompt]) -> list[list[int]]:
    """Indices of prompts in groups that may be answered as one batch: with the same prefill, and sharing forward passes."""
    return [
        [alike[i] for i in group]
        for alike in by_prefill(prompts)
        for group in by_forward_pass(model, [prompts[i] for i in alike])
    ]


def by_media(prompts: Sequence[Prompt]) -> list[list[int]]:
    """Indices of prompts in groups whose media have the same kinds and shapes, so that none is padded."""
    return _groups(
        [
            tuple((name, tensor.shape[1:]) for name, tensor in prompt.inputs.items() if name not in PER_TOKEN)
            for prompt in prompts
        ]
    )


def _groups(keys: Sequence[Hashable]) -> list[list[int]]:
    """Indices of equal keys."""
    groups: dict[Hashable, list[int]] = {}
    for i, key in enumerate(keys):
        groups.setdefault(key, []).append(i)
    return list(groups.values())


def until_stop(ids: Sequence[int], stop_ids: Sequence[int]) -> list[int]:
    """Ids up to and including the first stop id; what follows it in a batch is padding."""
    end = next((i for i, token in enumerate(ids) if token in stop_ids), len(ids) - 1)
    return list(ids[: end + 1])
