"""All choices of the method in one place."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

Gate = Literal["log", "scale", "none"]
Pooling = Literal["softmax", "mean", "max"]
HiddenState = Literal["final", "pre_norm"]
TokenChoice = Literal["new", "existing"]

QUERY_DESCRIPTION = "This is an unsafe query: it asks for help with something harmful, illegal or malicious."
SAFETY_PROMPT = (
    "Before you answer, judge whether the request is safe. If it asks for anything harmful, illegal, hateful or deceptive, "
    "however it is phrased or whatever role it gives you, refuse. Otherwise answer helpfully."
)


@dataclass(frozen=True)
class CasaConfig:
    """Choices of the CASA method; each default can be flipped for an ablation.

    Attributes:
        safety_tokens: "new" adds two special tokens, whose rows alone train; "existing" takes the vocabulary's own entries of the
            two words, which stay ordinary words: no row is added or trained apart, and text is tokenized as ever.
        safe_token: text of the new token that precedes an answer to a benign query (C_safe).
        unsafe_token: text of the new token that precedes a refusal (C_unsafe).
        safe_word: word whose embedding a new safe token's row starts from, or that is the safe token itself.
        unsafe_word: word whose embedding a new unsafe token's row starts from, or that is the unsafe token itself.
        query_description: description whose hidden state in the frozen base model is the safety query (paper: "unsafe query"); of a
            list of several, the query is the mean of their normalised states.
        hidden_state: keys of safety attention: "final" is what enters the LM head, "pre_norm" what enters the final norm.
        num_heads: heads of safety attention; None takes the base model's number of key/value heads.
        head_dim: width of a head; None takes the base model's.
        pooling: how token weights become v_s: "softmax" (a smooth maximum), "mean" or "max".
        tau: temperature of the softmax pooling, > 0.
        gate: "log" adds log v_s and log(1 - v_s) to the two logits; "scale" multiplies by them (the paper's wording);
            "none" is the safety token without safety attention.
        threshold: p_unsafe from which the verdict is "unsafe", in (0, 1].
        beta: weight of the malicious path against the benign one in the loss, > 0.
        risk_loss_weight: weight of the binary cross-entropy on v_s, >= 0.
        safety_prompt: optional system prompt that asks the model to judge safety first; None for none.
    """

    safety_tokens: TokenChoice = "new"
    safe_token: str = "<|safe|>"
    unsafe_token: str = "<|unsafe|>"
    safe_word: str = "safe"
    unsafe_word: str = "unsafe"
    # by a factory: transformers' parser of dataclasses leaves out the plain default of a list
    query_description: str | list[str] = field(default_factory=lambda: QUERY_DESCRIPTION)
    hidden_state: HiddenState = "final"
    num_heads: int | None = None
    head_dim: int | None = None
    pooling: Pooling = "softmax"
    tau: float = 1.0
    gate: Gate = "log"
    threshold: float = 0.5
    beta: float = 1.0
    risk_loss_weight: float = 1.0
    safety_prompt: str | None = None

    def __post_init__(self) -> None:
        """Checks every field and reports all errors at once; a list of one description becomes that description.

        Raises:
            ValueError: a field is out of its range.
        """
        if isinstance(self.query_description, list) and len(self.query_description) == 1:
            object.__setattr__(self, "query_description", self.query_description[0])
        checks = {
            f"gate must be one of {get_args(Gate)}": self.gate in get_args(Gate),
            f"pooling must be one of {get_args(Pooling)}": self.pooling in get_args(Pooling),
            f"hidden_state must be one of {get_args(HiddenState)}": self.hidden_state in get_args(HiddenState),
            f"safety_tokens must be one of {get_args(TokenChoice)}": self.safety_tokens in get_args(TokenChoice),
            "tau must be > 0": self.tau > 0,
            "threshold must be in (0, 1]": 0 < self.threshold <= 1,
            "beta must be > 0": self.beta > 0,
            "risk_loss_weight must be >= 0": self.risk_loss_weight >= 0,
            "num_heads must be >= 1": self.num_heads is None or self.num_heads >= 1,
            "head_dim must be >= 1": self.head_dim is None or self.head_dim >= 1,
            "safe_token and unsafe_token must differ and not be empty": bool(self.safe_token)
            and bool(self.unsafe_token)
            and self.safe_token != self.unsafe_token,
            "query_description must be a text or a list of texts, none of them empty": bool(self.query_descriptions)
            and all(isinstance(text, str) and text for text in self.query_descriptions),
        }
        if errors := [message for message, holds in checks.items() if not holds]:
            raise ValueError("CasaConfig: " + "; ".join(errors))

    @property
    def query_descriptions(self) -> list[str]:
        """All descriptions of the safety query."""
        given = self.query_description
        return given if isinstance(given, list) else [given]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> CasaConfig:
        """Builds a config from plain values.

        Raises:
            ValueError: a name is not a field, or a value is out of range.
        """
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"CasaConfig has no field {', '.join(unknown)}; it has {', '.join(sorted(known))}")
        return cls(**values)
