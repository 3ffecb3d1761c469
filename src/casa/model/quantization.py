"""Quantised base models: 4 bits to train adapters on smaller GPUs (QLoRA, Dettmers et al. 2023, arXiv 2305.14314), and others."""

from __future__ import annotations

import importlib.util
from typing import Any, Literal

from torch import nn

from casa.errors import MissingDependencyError
from casa.model.bases import empty_base
from casa.model.families import decoder_of

Quantization = Literal["none", "4bit"]
# Of a weight: 4 bits, and one scale a block of 64, itself in 8 bits with a float32 scale for every 256 (section 3).
BYTES_PER_WEIGHT = (4 + 8 / 64 + 32 / (64 * 256)) / 8


def quantized_layers(model: Any) -> dict[str, nn.Linear]:
    """The decoder's linear layers by name, which are what is quantised.

    Towers and the LM head keep their type: both decide what is seen and which token follows. Experts whose weights a model
    stacks into one tensor are no linear layers, so they keep theirs too.
    """
    inside = {module for module in decoder_of(model).modules() if type(module) is nn.Linear}
    return {name: module for name, module in model.named_modules() if module in inside}


def four_bit(source: str, **options: Any) -> Any:
    """The `quantization_config` that loads a base model in 4 bits (NF4, scales quantised too, bfloat16 in between).

    Args:
        source: hub id, folder, or "casa-nano"; only its config is read.
        options: of `empty_base`: where the config comes from (revision, token, cache_dir, local_files_only).

    Raises:
        MissingDependencyError: bitsandbytes is not installed.
    """
    if importlib.util.find_spec("bitsandbytes") is None:
        raise MissingDependencyError("4-bit models need bitsandbytes: pip install 'casa-mllm[quantized]'")
    import torch
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=kept_layers(source, **options),
    )


def kept_layers(source: str, **options: Any) -> list[str]:
    """Names of the linear layers that keep their type: towers, projections, LM head; only the config is read, as by `four_bit`."""
    model = empty_base(source, **options)
    quantized = quantized_layers(model)
    linear = (name for name, module in model.named_modules() if isinstance(module, nn.Linear))
    return [name for name in linear if name not in quantized]
