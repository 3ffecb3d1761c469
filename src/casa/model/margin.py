"""The gated margin with its gradient: what CASA's decision hangs on, for attackers who follow it."""

from __future__ import annotations

from torch import Tensor

from casa.method.gate import gate_logits
from casa.model.casa_model import CasaModel
from casa.model.decoding import on_hidden_states, on_last_positions


def gated_margin(casa: CasaModel, inputs: dict[str, Tensor]) -> Tensor:
    """z_unsafe + log v_s - z_safe - log(1 - v_s), differentiable by the inputs' embeddings, through safety attention too.

    Args:
        casa: the model; another gate than "log" gives its own margin.
        inputs: of prompts, padded on the left.

    Returns:
        The margins, whose sigmoid is p_unsafe, shape (batch,).
    """
    states: list[Tensor] = []
    model, attention = casa.base_model, casa.safety_attention
    with on_hidden_states(model, casa.config.hidden_state, states.append), on_last_positions(model, 1):
        logits = model(**inputs, use_cache=False).logits[:, -1]
    risk = attention.pool(attention.scores(states[0], stop_gradient=False), inputs["attention_mask"])
    gated = gate_logits(logits[:, casa.tokens.safe], logits[:, casa.tokens.unsafe], risk, casa.config.gate)
    return gated[:, 1] - gated[:, 0]
