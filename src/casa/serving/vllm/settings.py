"""What a served checkpoint says of CASA: the key `casa` of its config.json."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from casa.errors import CheckpointError
from casa.method.config import CasaConfig
from casa.method.tokens import SafetyTokens

KEY = "casa"
FORMAT = 3
WEIGHT_PREFIX = "safety_attention."


@dataclass(frozen=True)
class ServedSettings:
    """All that vLLM's side needs to know beside the weights.

    Attributes:
        config: the method's choices.
        tokens: ids of the safety tokens.
        num_heads: heads of safety attention.
        head_dim: width of such a head.
        stop_id: token that ends an answer; forced where nothing may be answered.
        control_ids: tokens that text never holds, such as those that begin a turn; the safety tokens among them.
        untrained_media: kinds of media that the model cannot take.
        weights_sha256: from `weights_digest`.
    """

    config: CasaConfig
    tokens: SafetyTokens
    num_heads: int
    head_dim: int
    stop_id: int
    control_ids: tuple[int, ...]
    untrained_media: tuple[str, ...]
    weights_sha256: str

    def __post_init__(self) -> None:
        """Refuses what cannot be computed in a paged key/value cache.

        Raises:
            CheckpointError: names every such choice.
        """
        reasons = {
            f"pooling {self.config.pooling!r} is no attention; only 'softmax' is": self.config.pooling != "softmax",
            "safety_tokens 'existing' are words, which vLLM would gate and ban throughout the answer; only 'new' ones "
            "can be served": self.config.safety_tokens != "new",
            "hidden_state 'pre_norm' never leaves vLLM's models; only 'final' does": self.config.hidden_state
            != "final",
            "safety_prompt is put into the system message by casa, not by vLLM's chat template; "
            "export without it and send it yourself": self.config.safety_prompt is not None,
        }
        if refused := [reason for reason, holds in reasons.items() if holds]:
            raise CheckpointError("vLLM cannot serve this CASA model: " + "; ".join(refused))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for config.json, with a checksum of their own."""
        lists = {name: list(getattr(self, name)) for name in ("control_ids", "untrained_media")}
        values = {**asdict(self), "tokens": self.tokens._asdict(), **lists}
        return {"format": FORMAT, **values, "sha256": _digest(values)}

    @classmethod
    def from_hf_config(cls, hf_config: Any) -> ServedSettings:
        """Reads them from a loaded config; see `from_dict`."""
        return cls.from_dict(getattr(hf_config, KEY, None))

    @classmethod
    def from_dict(cls, content: Any) -> ServedSettings:
        """Reads what `as_dict` wrote.

        Raises:
            CheckpointError: it is missing, altered, malformed, or cannot be served.
        """
        if not content:
            raise CheckpointError(f"config.json has no key {KEY!r}: make the checkpoint with `casa export --to vllm`")
        try:
            values = dict(content)
            if (found := values.pop("format")) != FORMAT:
                raise CheckpointError(
                    f"this checkpoint has format {found}, this version serves {FORMAT}; export it again"
                )
            if values.pop("sha256") != _digest(values):
                raise CheckpointError(f"the key {KEY!r} of config.json is not as it was exported; export it again")
            values["config"] = CasaConfig.from_dict(values["config"])
            values["tokens"] = SafetyTokens(**values["tokens"])
            values |= {name: tuple(values[name]) for name in ("control_ids", "untrained_media")}
            return cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, CheckpointError):
                raise
            raise CheckpointError(f"the key {KEY!r} of config.json is malformed: {error!r}") from error


def weights_digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, shapes and float32 values of safety attention's weights, wherever they are stored."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
