"""The tower (Qwen2.5-Omni's stock vision encoder, small), and a fast forward pass for pictures of one size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention
from torch.nn.utils.rnn import pad_sequence
from transformers import Qwen2VLImageProcessor
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniVisionEncoderConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import (
    Qwen2_5OmniVisionEncoder,
    apply_rotary_pos_emb_vision,
)
from transformers.vision_utils import get_vision_position_ids, get_vision_window_index

from casa.errors import CasaError
from casa.nano.pictures.styles import CELL

PATCH, MERGE, WINDOW, HEAD = 14, 2, 112, 64
MOST_PARAMETERS = 15_000_000


class Encoded(NamedTuple):
    """What the tower makes of pictures.

    Attributes:
        cells: (batch, rows, columns, out) outputs, what the language model sees.
        hidden: (batch, rows, columns, 4 * hidden size) the merger's hidden layer behind its GELU.
    """

    cells: Tensor
    hidden: Tensor


class _Windows(NamedTuple):
    """Patches by window: (windows, longest) positions in the picture, and which of them are no padding (None if all)."""

    positions: Tensor
    valid: Tensor | None


def tower_config(depth: int, hidden_size: int, intermediate_size: int, out: int) -> Qwen2_5OmniVisionEncoderConfig:
    """The encoder's config: heads of 64, windows of 112 px, full attention in every second block.

    Raises:
        CasaError: the hidden size is no multiple of 64.
    """
    if hidden_size % HEAD:
        raise CasaError(f"a tower's hidden size must be a multiple of {HEAD}, not {hidden_size}")
    return Qwen2_5OmniVisionEncoderConfig(
        depth=depth,
        hidden_size=hidden_size,
        intermediate_size=intermediate_size,
        num_heads=hidden_size // HEAD,
        out_hidden_size=out,
        patch_size=PATCH,
        spatial_merge_size=MERGE,
        window_size=WINDOW,
        fullatt_block_indexes=list(range(1, depth, 2)),
    )


def build_tower(config: Qwen2_5OmniVisionEncoderConfig, seed: int) -> Any:
    """The `Qwen2_5OmniVisionEncoder` with seeded random weights, float32.

    Raises:
        CasaError: it has more than 15 million parameters.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tower = Qwen2_5OmniVisionEncoder(config).float()
    if (size := sum(p.numel() for p in tower.parameters())) > MOST_PARAMETERS:
        raise CasaError(f"the tower has {size / 1e6:.1f}M parameters, more than {MOST_PARAMETERS / 1e6:.0f}M")
    return tower


@torch.no_grad()
def grow(tower: Any, earlier: Any) -> None:
    """Gives a tower the outputs of an earlier one whose MLPs are at most as wide: neurons beyond add nothing at first.

    Raises:
        CasaError: the towers differ in another way, or the earlier one's MLPs are wider.
    """
    before, own = earlier.state_dict(), tower.state_dict()
    if differing := before.keys() ^ own.keys():
        raise CasaError(f"only one of them has {min(differing)}")
    for block in tower.blocks:
        block.mlp.down_proj.weight.zero_()
    for name, weights in before.items():
        corner = own[name][tuple(map(slice, weights.shape))]
        wider = corner.shape != own[name].shape and "_proj." not in name
        if wider or corner.shape != weights.shape:
            raise CasaError(f"{name} is {tuple(weights.shape)} in one and {tuple(own[name].shape)} in the other")
        corner.copy_(weights)


def to_patches(pictures: Tensor, temporal: int = 1) -> Tensor:
    """Patches as the image processor of Qwen2.5-Omni makes them, in its order (the four of a cell together).

    Args:
        pictures: (batch, height, width, 3), uint8; sides are multiples of 28, so that the processor resizes nothing.
        temporal: how often a still picture is repeated; the processor does it twice.

    Returns:
        (batch, patches, 3 * temporal * 196), float32.
    """
    processor = _processor()
    scaled = processor.rescale_and_normalize(
        pictures.permute(0, 3, 1, 2),
        processor.do_rescale,
        processor.rescale_factor,
        processor.do_normalize,
        processor.image_mean,
        processor.image_std,
    )
    patches: Tensor = processor.patchify(scaled, PATCH, MERGE, temporal)[0]
    return patches


def encode(tower: Any, pictures: Tensor) -> Encoded:
    """The stock encoder's outputs, for pictures of one size at once: its own loops over windows and pictures in Python.

    Args:
        tower: from `build_tower`.
        pictures: (batch, height, width, 3), uint8.
    """
    batch, rows, columns = len(pictures), pictures.shape[1] // CELL, pictures.shape[2] // CELL
    kernel = tower.patch_embed.proj.weight.sum(2).flatten(1)  # both frames of a still picture are the same
    x = linear(to_patches(pictures), kernel).float()  # under autocast, the residual stream stays in float32
    grid, windows = _layout(rows, columns, x.device)
    turns = tower.rotary_pos_emb(x, grid)
    for number, block in enumerate(tower.blocks):
        full = number in tower.fullatt_block_indexes
        x = x + _attend(block.attn, block.norm1(x), turns, None if full else windows)
        x = x + block.mlp(block.norm2(x))
    with _merger_hidden(tower) as kept:
        cells = tower.merger(x)
    shape = (batch, rows, columns, -1)
    return Encoded(cells.view(shape), kept[0].view(shape))


def _attend(attention: Any, x: Tensor, turns: tuple[Tensor, Tensor], windows: _Windows | None) -> Tensor:
    """Self-attention of (batch, patches, width), within windows if there are any."""
    split = (*x.shape[:2], attention.num_heads, attention.head_dim)
    q, k = apply_rotary_pos_emb_vision(attention.q(x).view(split), attention.k(x).view(split), *turns)
    v = attention.v(x).view(split)
    if windows is None:
        q, k, v = (t.transpose(1, 2) for t in (q, k, v))
        mixed = scaled_dot_product_attention(q, k, v).transpose(1, 2)
    else:
        # (batch, windows, patches of a window, heads, width of a head)
        q, k, v = (t[:, windows.positions].transpose(2, 3).flatten(0, 1) for t in (q, k, v))
        valid = windows.valid
        mask = None if valid is None else valid[None, :, None, None].expand(split[0], -1, -1, -1, -1).flatten(0, 1)
        inside = scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2)
        inside = inside.unflatten(0, (split[0], -1)).flatten(1, 2)
        order = windows.positions.flatten() if valid is None else windows.positions[valid]
        kept = inside if valid is None else inside[:, valid.flatten()]
        mixed = kept[:, torch.argsort(order)]
    out: Tensor = attention.proj(mixed.reshape(x.shape))
    return out


@lru_cache(maxsize=512)
@torch.inference_mode(False)  # what is kept must serve training too
def _layout(rows: int, columns: int, device: torch.device) -> tuple[Tensor, _Windows]:
    """Patches' (row, column) for rotary embeddings, (patches, 2), and the windows of a picture of so many cells."""
    grid = torch.tensor([[1, rows * MERGE, columns * MERGE]])
    index, ends = get_vision_window_index(grid, MERGE, WINDOW, PATCH)
    patches = (index[:, None] * MERGE**2 + torch.arange(MERGE**2)).flatten()
    parts = torch.split(patches, ends.diff().tolist())
    padded = pad_sequence(list(parts), batch_first=True, padding_value=-1)
    valid = padded >= 0
    windows = _Windows(padded.clamp(min=0).to(device), None if valid.all() else valid.to(device))
    return get_vision_position_ids(grid, MERGE).to(device), windows


@contextmanager
def _merger_hidden(tower: Any) -> Iterator[list[Tensor]]:
    """Collects the output of the merger's GELU."""
    kept: list[Tensor] = []
    gelu: nn.Module = tower.merger.mlp[1]
    handle = gelu.register_forward_hook(lambda module, inputs, output: kept.append(output))
    try:
        yield kept
    finally:
        handle.remove()


@cache
def _processor() -> Any:
    return Qwen2VLImageProcessor()
