"""What LoRA is put on: the projections of the language model's layers."""

from __future__ import annotations

from typing import Any

from torch import nn

from casa.model.families import decoder_of, text_config

LORA_TARGETS = (
    *("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
    *("qkv_proj", "gate_up_proj"),  # Phi fuses them
    *("in_proj_qkv", "in_proj_z", "out_proj"),  # linear attention
)


def layers_of(model: Any) -> nn.ModuleList:
    """The decoder's layers, first to last.

    Raises:
        ValueError: the decoder has no list of them as a direct child.
    """
    stacks = [child for child in decoder_of(model).children() if isinstance(child, nn.ModuleList)]
    found = next((stack for stack in stacks if len(stack) == text_config(model).num_hidden_layers), None)
    if found is None:
        raise ValueError(f"{type(model).__name__} has no list of decoder layers; name target_modules yourself")
    return found


def lora_targets(model: nn.Module, layers: int | None = None) -> list[str]:
    """Names of the projections of attention and MLP in the language model's layers (the first `layers`); towers are left alone.

    So are layers that only images run through (Llama 3.2 Vision): training on text would leave their adapters as they began.
    Whole names, because PEFT cuts a regular expression down to the last part of names where a model has experts.

    Raises:
        ValueError: the layers have no such projections.
    """
    crossing = getattr(text_config(model), "cross_attention_layers", None) or ()
    run = [layer for i, layer in enumerate(layers_of(model)[:layers]) if i not in crossing]
    inside = {module for layer in run for module in layer.modules()}
    names = [name for name, module in model.named_modules() if module in inside and name.endswith(LORA_TARGETS)]
    if not names:
        raise ValueError(f"{type(model).__name__} has none of {', '.join(LORA_TARGETS)}; name target_modules yourself")
    return names
