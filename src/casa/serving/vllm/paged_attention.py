"""Safety attention over vLLM's paged key/value cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from vllm.model_executor.layers.attention import Attention

from casa.errors import CheckpointError
from casa.method.attention import SafetyAttention
from casa.serving.vllm.layout import CacheLayout
from casa.serving.vllm.settings import ServedSettings, weights_digest

WEIGHTS = ("bias", "key.weight", "norm.bias", "norm.weight", "query.weight", "query_embedding")


class PagedSafetyAttention(SafetyAttention):
    """v_s at every token over all tokens up to it, whichever of them are in the cache already.

    Chunks of a prefill, cached prefixes and preemption are vLLM's to handle, as for any other layer. The pooling is causal, so
    v_s of the last prompt token covers the whole prompt, and that token is always computed.

    Args:
        settings: the served model's.
        vllm_config: the engine's.
    """

    def __init__(self, settings: ServedSettings, vllm_config: Any) -> None:
        model, parallel = vllm_config.model_config, vllm_config.parallel_config
        super().__init__(
            model.get_hidden_size(), settings.num_heads, settings.head_dim, settings.config.pooling, settings.config.tau
        )
        self.float()  # vLLM makes parameters in the model's type
        self.verified = False
        self._sha256 = settings.weights_sha256
        self._directions: Tensor
        empty = torch.empty(settings.num_heads, model.get_hidden_size(), dtype=torch.float32)
        self.register_buffer("_directions", empty, persistent=False)
        self._layout = layout = CacheLayout.like_model(
            settings.num_heads,
            model.get_num_attention_heads(parallel),
            model.get_num_kv_heads(parallel),
            model.get_head_size(),
        )
        self._query: Tensor
        self.register_buffer("_query", layout.query(model.dtype, empty.device), persistent=False)
        index = model.hf_text_config.num_hidden_layers  # vLLM sorts caches by the one integer in a layer's name
        self.paged = Attention(
            layout.query_heads,
            layout.head_size,
            scale=1 / settings.config.tau,
            num_kv_heads=layout.kv_heads,
            cache_config=vllm_config.cache_config,
            prefix=f"safety_attention.{index}.attn",
        )

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Takes the weights, once they are the exported ones.

        Raises:
            CheckpointError: one is missing, altered, too many, or of another shape.
        """
        if set(state) != set(WEIGHTS):
            odd = ", ".join(sorted(set(state) ^ set(WEIGHTS)))
            raise CheckpointError(f"the checkpoint's safety attention is incomplete or has too much: {odd}")
        if weights_digest(state) != self._sha256:
            raise CheckpointError("the checkpoint's safety attention is not the one that was exported; export it again")
        own = {name: tensor for name, tensor in self.state_dict().items() if name in WEIGHTS}
        for name, tensor in own.items():
            if tensor.shape != state[name].shape:
                raise CheckpointError(
                    f"{name} has shape {tuple(state[name].shape)}, the model needs {tuple(tensor.shape)}"
                )
            tensor.copy_(state[name])
        with torch.no_grad():
            keys, query = self.key.weight, F.linear(self.query_embedding, self.query.weight)
            by_head = (query[:, None] * keys).unflatten(0, (self.num_heads, self.head_dim))
            self._directions.copy_(by_head.sum(1) / self.head_dim**0.5)
        self.verified = True

    def forward(self, hidden: Tensor) -> Tensor:  # type: ignore[override]
        """1 - v_s and v_s at each token, in float32, from final hidden states: (tokens, hidden size) to (tokens, 2)."""
        normed = F.layer_norm(hidden.float(), hidden.shape[-1:], self.norm.weight, self.norm.bias, self.norm.eps)
        scores = F.linear(normed, self._directions)  # q . W_k is constant: keys need not be made
        query = self._query.expand(len(hidden), -1).contiguous()
        keys = self._layout.keys(scores, hidden.dtype)
        values = self._layout.values(scores + self.bias, hidden.dtype)
        return self._layout.read(self.paged(query, keys, values)).mean(1)
