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

    def keys(self, scores: Tensor, dtype: torch.dtype) -> Tensor:
        """Keys from scores s in float32, shape (tokens, heads) to (tokens, kv heads * head size)."""
        return self._placed(exact_pieces(scores, dtype), dtype)

    def values(self, logits: Tensor, dtype: torch.dtype) -> Tensor:
        """Values from s + b in float32, shape (tokens, heads) to (tokens, kv heads * head size)."""
        return self._placed(torch.stack([-logits, logits], dim=-1).sigmoid(), dtype)

    def read(self, output: Tensor) -> Tensor:
        """Each head's 1 - v_s and v_s from the layer's output (tokens, query heads * head size), shape (tokens, heads, 2)."""
        queries = output.view(-1, self.kv_heads, self.group, self.head_size)
        by_place = [queries[:, :, place, 2 * place : 2 * place + 2] for place in range(self.places)]
        return torch.cat(by_place, dim=1)[:, : self.heads].float()

    def _placed(self, numbers: Tensor, dtype: torch.dtype) -> Tensor:
        """Puts (tokens, heads, n) where each head's n numbers belong, side by side, as heads go round the key/value heads.

        Nothing is looked up by an index: CUDA graphs cannot copy one to the device.
        """
        free = self.places * self.kv_heads - self.heads
        rounds = F.pad(numbers.to(dtype), (0, 0, 0, free)).unflatten(1, (self.places, self.kv_heads))
        held = rounds.transpose(1, 2).flatten(2)
        return F.pad(held, (0, self.head_size - held.shape[-1])).flatten(1)


def exact_pieces(numbers: Tensor, dtype: torch.dtype) -> Tensor:
    """Float32 numbers as sums of numbers that `dtype` holds, shape (..., PIECES)."""
    if dtype == torch.float32:
        return F.pad(numbers[..., None], (0, PIECES - 1))
    pieces: list[Tensor] = []
    for _ in range(PIECES):
        pieces.append(numbers.to(dtype).float())
        numbers = numbers - pieces[-1]
    return torch.stack(pieces, dim=-1)
