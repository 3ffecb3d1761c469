"""The method of the paper and nothing else: safety tokens, safety attention, gate and objective."""

from __future__ import annotations

from casa.method.attention import SafetyAttention, SafetyRisk
from casa.method.config import CasaConfig
from casa.method.gate import Decision, decide, gate_logits
from casa.method.objective import ConditionalLoss, conditional_loss
from casa.method.tokens import SafetyTokens, add_safety_tokens, initialise_safety_rows, own_tokens

__all__ = [
    "CasaConfig",
    "ConditionalLoss",
    "Decision",
    "SafetyAttention",
    "SafetyRisk",
    "SafetyTokens",
    "add_safety_tokens",
    "conditional_loss",
    "decide",
    "gate_logits",
    "initialise_safety_rows",
    "own_tokens",
]
