"""How safety attention's heads lie in a key/value cache that has the shape of the model's own.

vLLM's caches are simplest, and its kernels surest, when every layer has the same shape. Safety attention needs little room in
it, because its query is constant: of a key only the score s_t = q . k_t / sqrt(d) matters. So the key of a token holds the score
itself, cut into pieces which the cache's type holds exactly (bfloat16 costs no precision then), and the query is the ones
that add the pieces up; the value holds sigmoid(-(s_t + b)) and sigmoid(s_t + b). What the kernel pools is

    sum_t softmax(s / tau)_t * [sigmoid(-(s_t + b)), sigmoid(s_t + b)]  =  [1 - v_s, v_s]

for each head, each with its own relative precision. The next free place of a head goes round the key/value heads, so that
any number of heads fits into few. Every rank of a tensor-parallel engine keeps all heads: nothing is exchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from casa.errors import CheckpointError

PIECES = 3  # of 8 bits in bfloat16, together a float32


@dataclass(frozen=True)
class CacheLayout:
    """Places of safety attention's heads in a layer's cache.

    Attributes:
        heads: of safety attention.
        kv_heads: key/value heads of the layer.
        group: query heads for each of them.
        head_size: width of each.
    """

    heads: int
    kv_heads: int
    group: int
    head_size: int

    @classmethod
    def like_model(cls, heads: int, query_heads: int, kv_heads: int, head_size: int) -> CacheLayout:
        """A layer like the model's own on this rank, with more query heads only where they are needed.

        Raises:
            CheckpointError: the heads need more room than a key has.
        """
        layout = cls(heads, kv_heads, max(query_heads // kv_heads, -(-heads // kv_heads)), head_size)
        if layout.places * PIECES > head_size:
            raise CheckpointError(
                f"safety attention has {heads} heads, and {kv_heads} key/value heads of width {head_size} on each rank hold "
                f"{head_size // PIECES * kv_heads} of them; use fewer ranks (tensor_parallel_size)"
            )
        return layout

    @property
    def places(self) -> int:
        """Heads of safety attention that share a key/value head."""
        return -(-self.heads // self.kv_heads)

    @property
    def query_heads(self) -> int:
        """All query heads of the layer."""
        return self.kv_heads * self.group

    def query(self, dtype: torch.dtype, device: torch.device) -> Tensor:
        """The query that adds up the pieces of each head's score, shape (query heads * head size,)."""
        ones = torch.zeros(self.kv_heads, self.group, self.head_size, dtype=dtype, device=device)
        for place in range(self.places):
            ones[:, place, place * PIECES : (place + 1) * PIECES] = 1
        return ones.flatten()

    @cached_property
    def key_columns(self) -> Tensor:
        """Where a key holds the pieces of each head's score, shape (heads, PIECES)."""
        return self._columns(PIECES)

    @cached_property
    def value_columns(self) -> Tensor:
        """Where a value holds 1 - v_s and v_s of each head's score, shape (heads, 2)."""
        return self._columns(2)

    @cached_property
    def output_columns(self) -> Tensor:
        """Where the layer's output holds each head's 1 - v_s and v_s, shape (heads, 2)."""
        head = torch.arange(self.heads)
        place, kv_head = head // self.kv_heads, head % self.kv_heads
        first = (kv_head * self.group + place) * self.head_size + 2 * place
        return first[:, None] + torch.arange(2)

    def keys(self, scores: Tensor, dtype: torch.dtype) -> Tensor:
        """Keys from scores s in float32, shape (tokens, heads) to (tokens, kv heads * head size)."""
        return self._placed(exact_pieces(scores, dtype), self.key_columns, dtype)

    def values(self, logits: Tensor, dtype: torch.dtype) -> Tensor:
        """Values from s + b in float32, shape (tokens, heads) to (tokens, kv heads * head size)."""
        return self._placed(torch.stack([-logits, logits], dim=-1).sigmoid(), self.value_columns, dtype)

    def read(self, output: Tensor) -> Tensor:
        """Each head's 1 - v_s and v_s from the layer's output (tokens, query heads * head size), shape (tokens, heads, 2)."""
        return output[:, self.output_columns.to(output.device)].float()

    def _columns(self, count: int) -> Tensor:
        """Heads go round the key/value heads, and so many numbers of each lie side by side."""
        head = torch.arange(self.heads)
        first = head % self.kv_heads * self.head_size + head // self.kv_heads * count
        return first[:, None] + torch.arange(count)

    def _placed(self, numbers: Tensor, columns: Tensor, dtype: torch.dtype) -> Tensor:
        """Puts (tokens, heads, n) where each head's n numbers belong."""
        placed = numbers.new_zeros(len(numbers), self.kv_heads * self.head_size, dtype=dtype)
        placed[:, columns.to(placed.device)] = numbers.to(dtype)
        return placed


def exact_pieces(numbers: Tensor, dtype: torch.dtype) -> Tensor:
    """Float32 numbers as sums of numbers that `dtype` holds, shape (..., PIECES)."""
    if dtype == torch.float32:
        return F.pad(numbers[..., None], (0, PIECES - 1))
    pieces: list[Tensor] = []
    for _ in range(PIECES):
        pieces.append(numbers.to(dtype).float())
        numbers = numbers - pieces[-1]
    return torch.stack(pieces, dim=-1)
