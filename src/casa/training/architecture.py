"""What estimates need to know of a model, read off its modules; it may be without weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from casa.method.config import CasaConfig
from casa.method.tokens import SafetyTokens, own_tokens
from casa.model.attach import adapted, fresh_attention, tied
from casa.model.families import text_config
from casa.model.quantization import BYTES_PER_WEIGHT, Quantization, quantized_layers
from casa.model.targets import layers_of, lora_targets


@dataclass(frozen=True)
class Architecture:
    """A base model with its adapters, in numbers.

    Attributes:
        model_class: name of the base model's class.
        parameters: of the base model, towers included.
        weight_bytes: that they take, in the types that they are loaded in, by quantization.
        value_bytes: that an activation takes.
        lora_layers: linear layers that LoRA adapts: how many of each name.
        lora_parameters: of LoRA.
        token_parameters: of the safety tokens' rows; none where these are words.
        attention_parameters: of safety attention.
        active_parameters: weights of the decoder's layers that a token is multiplied with; of experts, those that it is sent to.
        head_parameters: of the LM head, vocabulary times width.
        layers: of the decoder.
        hidden_size: width of its hidden states.
        attention_width: of all query heads together.
        mlp_width: of a token's MLP; of all experts that it is sent to.
        routed: experts that a token is sent to, 0 where there are none.
        lora_inputs: widths of the adapted layers' inputs, summed over all layers.
        norm_inputs: widths of the norms' inputs, summed over all layers.
    """

    model_class: str
    parameters: int
    weight_bytes: dict[Quantization, int]
    value_bytes: int
    lora_layers: dict[str, int]
    lora_parameters: int
    token_parameters: int
    attention_parameters: int
    active_parameters: int
    head_parameters: int
    layers: int
    hidden_size: int
    attention_width: int
    mlp_width: int
    routed: int
    lora_inputs: int
    norm_inputs: int

    @property
    def trainable(self) -> int:
        """All parameters that train."""
        return self.lora_parameters + self.token_parameters + self.attention_parameters


def read_architecture(base: Any, tokens: SafetyTokens, config: CasaConfig, lora: dict[str, Any]) -> Architecture:
    """Attaches LoRA and safety attention to a base model, which is changed in place, and counts.

    Args:
        base: with the safety tokens' rows; it may be without weights.
        tokens: the safety tokens.
        config: the method's choices.
        lora: arguments of `peft.LoraConfig`.

    Raises:
        ValueError: the model has nothing to adapt.
    """
    text, head = text_config(base), base.get_output_embeddings().weight
    experts, chosen = _experts(text)
    heads_width = text.num_attention_heads * _head_width(text)
    targets = lora_targets(base)
    packed = {module.weight for module in quantized_layers(base).values()}
    inputs = [base.get_submodule(name).in_features for name in targets]
    counts = {
        "model_class": type(base).__name__,
        "parameters": sum(p.numel() for p in base.parameters()),
        "weight_bytes": {"none": _weight_bytes(base, set()), "4bit": _weight_bytes(base, packed)},
        "value_bytes": head.element_size(),
        "active_parameters": round(_active(layers_of(base), text)),
        "head_parameters": head.numel(),
        "layers": len(layers_of(base)),
        "hidden_size": text.hidden_size,
        "attention_width": heads_width,
        "mlp_width": _mlp_width(text),
        "routed": chosen if experts > 1 else 0,
        "norm_inputs": sum(
            text.hidden_size if weight.numel() == text.hidden_size else heads_width  # or a norm of each head
            for name, weight in layers_of(base).named_parameters()
            if name.endswith("norm.weight")
        ),
    }
    attention = fresh_attention(base, config)
    own = own_tokens(tokens, config)
    rows = len(own) * text.hidden_size * (1 if tied(base) else 2)
    trained = sum(p.numel() for p in adapted(base, own, lora).parameters() if p.requires_grad)
    return Architecture(
        **counts,
        lora_layers=dict(Counter(name.rpartition(".")[2] for name in targets)),
        lora_parameters=trained - rows,
        token_parameters=rows,
        attention_parameters=sum(p.numel() for p in attention.parameters()),
        lora_inputs=sum(inputs),
    )


def _weight_bytes(base: nn.Module, packed: Set[Tensor]) -> int:
    return round(sum(p.numel() * (BYTES_PER_WEIGHT if p in packed else p.element_size()) for p in base.parameters()))


def _active(layers: nn.Module, text: Any) -> float:
    """Matrices of the layers, of stacked experts (experts, rows, columns) only the share that a token is sent to."""
    experts, chosen = _experts(text)
    return sum(p.numel() * (chosen / experts if p.ndim == 3 else 1) for p in layers.parameters() if p.ndim > 1)


def _experts(text: Any) -> tuple[int, int]:
    """How many experts a layer has, and how many a token is sent to; one of one where there are none."""
    experts = getattr(text, "num_experts", None) or getattr(text, "num_local_experts", None) or 1
    return experts, (getattr(text, "num_experts_per_tok", None) or 1) if experts > 1 else 1


def _mlp_width(text: Any) -> int:
    experts, chosen = _experts(text)
    each = getattr(text, "moe_intermediate_size", None) if experts > 1 else None
    width = each or text.intermediate_size
    return chosen * (max(width) if isinstance(width, list | tuple) else width)  # Gemma 3n has one a layer


def _head_width(text: Any) -> int:
    return getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
