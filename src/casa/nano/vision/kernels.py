"""Which of torch's attention kernels trains the tower."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel


def training_attention(device: torch.device) -> AbstractContextManager[None]:
    """Plain matrix products on a CPU, torch's choice elsewhere.

    Backward in bfloat16, torch's flash kernel for CPUs takes ten times as long on windows of 16 patches.
    """
    if device.type != "cpu":
        return nullcontext()
    plain: AbstractContextManager[None] = sdpa_kernel(SDPBackend.MATH)
    return plain
