"""The CASA form of any vLLM model; `CasaLlamaForCausalLM` and its like are made when vLLM asks this module for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from casa.errors import UnsafeStateError
from casa.method.attention import SafetyRisk
from casa.method.gate import gate_logits
from casa.serving.vllm import PREFIX
from casa.serving.vllm.scores import LOGPROBS_MODE, with_risk
from casa.serving.vllm.settings import WEIGHT_PREFIX, ServedSettings


def __getattr__(name: str) -> type:
    """`Casa` followed by an architecture that vLLM knows."""
    from vllm import ModelRegistry

    base = name.removeprefix(PREFIX)
    if base == name or base not in ModelRegistry.get_supported_archs():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = casa_class(ModelRegistry.models[base].load_model_cls())
    globals()[name] = made
    return made


def casa_class(base: Any) -> type:
    """A subclass of a vLLM model that computes v_s beside its hidden states and gates the two safety logits.

    `forward` hands the runner two more columns, 1 - v_s and v_s, which `compute_logits` takes off again. Every row of logits is
    gated, because only the logits processor knows which one is the first of an answer.
    """

    class Casa(base):
        def __init__(self, *, vllm_config: Any, prefix: str = "") -> None:
            from casa.serving.vllm.engine import require_servable
            from casa.serving.vllm.paged_attention import PagedSafetyAttention

            require_servable(vllm_config)
            super().__init__(vllm_config=vllm_config, prefix=prefix)
            self.casa = ServedSettings.from_hf_config(vllm_config.model_config.hf_config)
            self.tells_risk = vllm_config.model_config.logprobs_mode == LOGPROBS_MODE
            self.safety_attention = PagedSafetyAttention(self.casa, vllm_config)

        def forward(self, *args: Any, **kwargs: Any) -> Tensor:
            """Hidden states with two more columns, shape (tokens, hidden size + 2)."""
            if not self.safety_attention.verified:
                raise UnsafeStateError("safety attention has no weights: this way of loading goes round them")
            hidden = super().forward(*args, **kwargs)
            if not isinstance(hidden, Tensor):
                raise UnsafeStateError(f"{base.__name__} gives {type(hidden).__name__}, not its final hidden states")
            return torch.cat([hidden, self.safety_attention(hidden).to(hidden.dtype)], dim=-1)

        def compute_logits(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor | None:
            """Logits in float32 with the two safety logits gated; None on ranks that do not gather them."""
            logits = super().compute_logits(hidden_states[..., :-2].contiguous(), *args, **kwargs)
            weights = hidden_states[..., -2:].float()
            return None if logits is None else gated_rows(logits, weights, self.casa, self.tells_risk)

        def compute_logits_local(self, hidden_states: Tensor) -> Tensor:
            """Refused: a part of the vocabulary cannot be gated."""
            raise UnsafeStateError("CASA needs whole logits; switch batch-sharded sampling off")

        def load_weights(self, weights: Iterable[tuple[str, Tensor]]) -> set[str] | None:
            """Loads safety attention, and leaves everything else to the model."""
            own: dict[str, Tensor] = {}
            loaded: set[str] | None = super().load_weights(_others(weights, own))
            self.safety_attention.load(own)
            return None if loaded is None else loaded | {WEIGHT_PREFIX + name for name in own}

    Casa.__name__ = Casa.__qualname__ = PREFIX + base.__name__
    return Casa


def gated_rows(logits: Tensor, weights: Tensor, settings: ServedSettings, tells_risk: bool) -> Tensor:
    """Logits in float32 with both safety entries gated.

    Args:
        logits: shape (rows, vocabulary).
        weights: 1 - v_s and v_s in float32, shape (rows, 2).
        settings: the gate, and which entries.
        tells_risk: also let their sum tell v_s; see `casa.serving.vllm.scores`.
    """
    logits = logits.float()
    complement, risk = weights.unbind(-1)
    nothing = weights.new_empty(len(weights), 0)  # tokens' shares are not kept here
    safe, unsafe = settings.tokens
    gated = gate_logits(
        logits[:, safe],
        logits[:, unsafe],
        SafetyRisk(risk, complement, nothing, weights[:, None]),
        settings.config.gate,
    )
    told = with_risk(gated, weights) if tells_risk else gated
    logits[:, safe], logits[:, unsafe] = told.unbind(-1)
    return logits


def _others(weights: Iterable[tuple[str, Tensor]], own: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """All weights but safety attention's, which go into `own`."""
    for name, tensor in weights:
        if name.startswith(WEIGHT_PREFIX):
            own[name.removeprefix(WEIGHT_PREFIX)] = tensor.clone()  # some loaders use their buffers again
        else:
            yield name, tensor
