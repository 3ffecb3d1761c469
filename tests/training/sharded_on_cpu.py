"""`casa train` with weights shared out by FSDP2 over CPU ranks, started by torchrun.

accelerate shares out weights on accelerators only, so it is told that these ranks are such.
"""

import os
from typing import Any

from accelerate import PartialState
from accelerate.utils import DistributedType
from torch.distributed import fsdp
from transformers import Trainer

from casa.cli import main

os.environ |= {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "false",
}
shared_out: list[str] = []
fully_shard, create_accelerator = fsdp.fully_shard, Trainer.create_accelerator_and_postprocess


def counted(module: Any, **options: Any) -> Any:
    shared_out.append(type(module).__name__)
    return fully_shard(module, **options)


def create_as_on_accelerators(trainer: Trainer) -> None:
    PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
    create_accelerator(trainer)


fsdp.fully_shard = counted
Trainer.create_accelerator_and_postprocess = create_as_on_accelerators
try:
    main()
finally:
    assert len(shared_out) == 3, f"two layers and what is round them, not {shared_out}"
