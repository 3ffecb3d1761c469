"""Muon for the blocks' matrices, AdamW for all else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from casa.nano.vision.recipe import VisionRecipe

_COEFFICIENTS = (3.4445, -4.775, 2.0315)  # of Newton-Schulz, as in torch.optim.Muon
_ITERATIONS = 5


class Muon(Optimizer):
    """torch.optim.Muon with `adjust_lr_fn="match_rms_adamw"`, all matrices of one shape at once.

    torch's own goes through them one by one, always in bfloat16: on a CPU without bfloat16 it takes ten times as long as the
    rest of a step of a small tower.

    Args:
        params: matrices.
        lr: learning rate, as for AdamW.
        weight_decay: decoupled.
        momentum: Nesterov's.
        bf16: makes matrices orthogonal in bfloat16.
    """

    def __init__(
        self, params: Sequence[Tensor], lr: float, weight_decay: float, momentum: float = 0.95, bf16: bool = False
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})
        self._bf16 = bf16

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes.setdefault(parameter.shape, []).append(parameter)
            for shape, parameters in shapes.items():
                directions = torch.stack([self._direction(p, group["momentum"]) for p in parameters])
                updates = orthogonal(directions.bfloat16() if self._bf16 else directions)
                rate = group["lr"] * 0.2 * max(shape) ** 0.5
                for parameter, update in zip(parameters, updates, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(update, alpha=-rate)

    def _direction(self, parameter: Tensor, momentum: float) -> Tensor:
        gradient, state = parameter.grad, self.state[parameter]
        assert gradient is not None
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        state["momentum_buffer"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(state["momentum_buffer"], momentum)


def orthogonal(matrices: Tensor) -> Tensor:
    """(count, height, width) matrices with their singular values brought near 1 by Newton-Schulz iterations."""
    a, b, c = _COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


def make_optimizers(tower: Any, heads: nn.Module, recipe: VisionRecipe) -> tuple[Optimizer, ...]:
    """Both optimizers. The merger is left to AdamW: Muon's steps on its large matrices take longer than all others'."""
    matrices = [p for p in tower.blocks.parameters() if p.ndim == 2]
    own = set(matrices)
    others = [p for p in (*tower.parameters(), *heads.parameters()) if p not in own]
    muon = Muon(matrices, recipe.block_learning_rate, recipe.weight_decay, bf16=recipe.bf16)
    groups = [
        {"params": [p for p in others if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in others if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return muon, torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.95))


def make_schedules(optimizers: Sequence[Optimizer], recipe: VisionRecipe) -> list[torch.optim.lr_scheduler.LambdaLR]:
    """The recipe's learning rates over the steps."""
    return [torch.optim.lr_scheduler.LambdaLR(optimizer, recipe.rate) for optimizer in optimizers]
