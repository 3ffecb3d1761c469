"""Safety attention: one attention layer over the prompt's hidden states that yields the maliciousness weight v_s."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from casa.method.config import Pooling


class SafetyRisk(NamedTuple):
    """What safety attention says of a batch of prompts, in float32.

    Attributes:
        risk: v_s in (0, 1), shape (batch,).
        complement: 1 - v_s with its own relative precision near v_s = 1, shape (batch,).
        attributions: each token's share of v_s, shape (batch, tokens); sums to v_s over the prompt, zero on padding.
        heads: each head's own complement and weight, whose means are the first two, shape (batch, heads, 2).
    """

    risk: Tensor
    complement: Tensor
    attributions: Tensor
    heads: Tensor


class SafetyAttention(nn.Module):
    """v_s = mean over heads of  sum_t softmax(s / tau)_t * sigmoid(s_t + b)  with  s_t = q . k_t / sqrt(d).

    Keys are k = W_k LayerNorm(stop_gradient(H)); the query is q = W_q e with e the frozen, normalised hidden state of a
    description of an unsafe query (paper, safety attention). Of several descriptions e is the mean of their states, so that s_t is
    the mean of the scores that each of them would give, and safety attention costs the same. The stop-gradient keeps this path
    from changing H, so that the gate's gradient reaches only this module's parameters and, through the logits, the model.
    Computed in float32 whatever the model's type.

    Args:
        hidden_size: width d of the hidden states.
        num_heads: number of heads.
        head_dim: width of a head.
        pooling: how the tokens' weights are pooled; "softmax" is the formula above, "mean" and "max" replace its weights.
        tau: temperature of the softmax.
    """

    def __init__(
        self, hidden_size: int, num_heads: int, head_dim: int, pooling: Pooling = "softmax", tau: float = 1.0
    ) -> None:
        super().__init__()
        self.num_heads, self.head_dim = num_heads, head_dim
        self.pooling, self.tau = pooling, tau
        self.norm = nn.LayerNorm(hidden_size)
        self.key = nn.Linear(hidden_size, num_heads * head_dim, bias=False)
        self.query = nn.Linear(hidden_size, num_heads * head_dim, bias=False)
        self.bias = nn.Parameter(torch.zeros(num_heads))
        self.query_embedding: Tensor
        self.register_buffer("query_embedding", torch.zeros(hidden_size))

    def reset_parameters(self) -> None:
        """Starts what is trained afresh; the frozen query stays."""
        for part in (self.norm, self.key, self.query):
            part.reset_parameters()
        nn.init.zeros_(self.bias)

    def set_query(self, hidden_states: Tensor) -> None:
        """Sets the frozen safety query from hidden states of the base model, shape (descriptions, hidden_size).

        Each is normalised here, and their mean taken.
        """
        with torch.no_grad():
            self.query_embedding.copy_(F.layer_norm(hidden_states.float(), hidden_states.shape[-1:]).mean(0))

    def scores(self, hidden: Tensor, stop_gradient: bool = True) -> Tensor:
        """Scores s of every token, shape (batch, heads, tokens), from hidden states (batch, tokens, hidden_size).

        `stop_gradient` is part of the method; without it an attacker sees how v_s depends on the prompt.
        """
        states = (hidden.detach() if stop_gradient else hidden).to(self.key.weight.device, torch.float32)
        with torch.autocast(states.device.type, enabled=False):
            normed = F.layer_norm(
                states, self.norm.normalized_shape, self.norm.weight.float(), self.norm.bias.float(), self.norm.eps
            )
            keys = F.linear(normed, self.key.weight.float())
            query = F.linear(self.query_embedding.float(), self.query.weight.float())
            keys = keys.unflatten(-1, (self.num_heads, self.head_dim))
            query = query.unflatten(-1, (self.num_heads, self.head_dim))
            return torch.einsum("bthd,hd->bht", keys, query) / self.head_dim**0.5

    def pool(self, scores: Tensor, mask: Tensor) -> SafetyRisk:
        """Pools token scores into v_s.

        Args:
            scores: from `scores`, shape (batch, heads, tokens).
            mask: 1 for prompt tokens, 0 for padding, shape (batch, tokens); at least one 1 in a row.
        """
        inside = mask[:, None, :].to(scores.device).bool()
        logits = scores + self.bias.float()[:, None]
        weights = self._pooling_weights(scores, inside)
        malicious = weights * logits.sigmoid()
        heads = torch.stack([(weights * (-logits).sigmoid()).sum(-1), malicious.sum(-1)], dim=-1)
        complement, risk = heads.mean(1).unbind(-1)
        return SafetyRisk(risk, complement, malicious.mean(1), heads)

    def forward(self, hidden: Tensor, mask: Tensor) -> SafetyRisk:
        """`pool(scores(hidden), mask)`."""
        return self.pool(self.scores(hidden), mask)

    def _pooling_weights(self, scores: Tensor, inside: Tensor) -> Tensor:
        """Weights over tokens that sum to 1 for each head, zero outside the prompt."""
        if self.pooling == "softmax":
            return (scores / self.tau).masked_fill(~inside, -torch.inf).softmax(-1)
        if self.pooling == "mean":
            return (inside / inside.sum(-1, keepdim=True)).expand_as(scores)
        largest = scores.masked_fill(~inside, -torch.inf).argmax(-1)
        return F.one_hot(largest, scores.shape[-1]).to(scores.dtype)
