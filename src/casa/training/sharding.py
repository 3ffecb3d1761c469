"""Weights and optimiser states that FSDP2 or ZeRO-3 shares out over ranks, made whole to be saved and read.

Every function here is a collective: all ranks must call it. Nothing happens to what is not shared out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor, distribute_tensor


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor of which this rank may hold a part."""
    if isinstance(tensor, DTensor):
        return tensor.full_tensor().detach()
    if hasattr(tensor, "ds_id"):  # ZeRO-3's mark
        from deepspeed.zero import GatheredParameters

        with GatheredParameters(tensor):
            return tensor.detach().clone()
    return tensor.detach()


@contextmanager
def readable(model: nn.Module | None) -> Iterator[None]:
    """Keeps what FSDP2 gathers for the outermost module gathered, so that its parts can be called by themselves."""
    if not isinstance(model, FSDPModule):
        yield
        return
    with torch.inference_mode(False):
        model.unshard()
    try:
        yield
    finally:
        model.reshard()


def whole_state(optimizer: Any) -> dict[str, Any]:
    """An optimiser's state as one process would have it."""
    state: dict[str, Any] = optimizer.state_dict()
    moments = {
        index: {name: whole(value).cpu() if isinstance(value, Tensor) else value for name, value in values.items()}
        for index, values in state["state"].items()
    }
    return {**state, "state": moments}


def load_whole_state(optimizer: Any, state: dict[str, Any]) -> None:
    """Gives each rank its part of a state that `whole_state` made, or one process."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    moments = {
        index: {name: _like(value, parameters[index]) for name, value in values.items()}
        for index, values in state["state"].items()
    }
    optimizer.load_state_dict({**state, "state": moments})


def _like(value: Any, parameter: Tensor) -> Any:
    """A moment shared out as its parameter is; what is no moment (the step) stays."""
    if not isinstance(parameter, DTensor) or getattr(value, "shape", None) != parameter.shape:
        return value
    return distribute_tensor(value.to(parameter.device), parameter.device_mesh, parameter.placements)
