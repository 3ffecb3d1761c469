"""The two halves of the audio tower in batches: the frozen lower one, and the upper one that is trained.

The stock `Qwen2_5OmniAudioEncoder` packs clips into one row and attends to them one by one; here they are padded and masked. The
weights and their names are the stock tower's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import gelu
from transformers import WhisperConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import SinusoidsPositionEmbedding
from transformers.models.whisper.modeling_whisper import WhisperEncoderLayer

from casa.errors import CheckpointError

POSITIONS = 1500
TOWER_FILE = "tower.safetensors"
BLANK_NAME, SCALE_NAME = "blank", "log_scale"


def frames_of(mel_frames: Tensor) -> Tensor:
    """Frames after the second convolution, 50 a second, from mel frames, 100 a second."""
    return (mel_frames - 1) // 2 + 1


def vectors_of(frames: Tensor) -> Tensor:
    """Vectors of the tower, 25 a second, from frames, 50 a second: an odd last frame is dropped."""
    return frames // 2


def present(lengths: Tensor, size: int) -> Tensor:
    """Which places are no padding: (batch, size), from lengths (batch,)."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]


class LowerEncoder(nn.Module):
    """Convolutions, positions and the first layers.

    Args:
        shape: as `whisper.TINY_EN`.
        layers: how many.
    """

    added = range(0)

    def __init__(self, shape: Mapping[str, int], layers: int) -> None:
        super().__init__()
        width = shape["d_model"]
        self.conv1 = nn.Conv1d(shape["num_mel_bins"], width, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(width, width, kernel_size=3, stride=2, padding=1)
        self.positional_embedding = SinusoidsPositionEmbedding(POSITIONS, width)
        self.layers = _layers(shape, range(layers))

    def forward(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """States (batch, frames, width) that enter the upper half.

        Args:
            mel: (batch, mel bins, mel frames), zero where padded.
            lengths: mel frames of each clip, (batch,).
        """
        mask = present(lengths, mel.shape[2])[:, None]
        states = gelu(self.conv2(gelu(self.conv1(mel)) * mask)).transpose(1, 2)
        states = states + self.positional_embedding(states.shape[1])
        return _through(self.layers, states, frames_of(lengths))


class UpperEncoder(nn.Module):
    """The last layers, pooling, the final norm and the projection into the language model's width.

    Args:
        shape: as `whisper.TINY_EN`.
        layers: how many of its last layers.
        output_dim: the language model's width.
        added: so many layers behind them, which pass their input on until they are trained.
    """

    def __init__(self, shape: Mapping[str, int], layers: int, output_dim: int, added: int = 0) -> None:
        super().__init__()
        last = shape["encoder_layers"]
        self.added = range(last, last + added)
        self.layers = _layers(shape, range(last - layers, last + added))
        for number in self.added:
            _pass_on(self.layers[str(number)])
        self.ln_post = nn.LayerNorm(shape["d_model"])
        self.proj = nn.Linear(shape["d_model"], output_dim)

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """The tower's vectors, (batch, frames // 2, output_dim).

        Args:
            states: from the lower half, (batch, frames, width).
            lengths: frames of each clip, (batch,).
        """
        states = _through(self.layers, states, lengths)
        pooled = states[:, : states.shape[1] // 2 * 2].unflatten(1, (-1, 2)).mean(dim=2)
        return self.proj(self.ln_post(pooled))


def _layers(shape: Mapping[str, int], numbers: range) -> nn.ModuleDict:
    """Layers by their number in the whole encoder. Whisper's class differs from Qwen2.5-Omni's by taking padded batches."""
    config = WhisperConfig(
        d_model=shape["d_model"],
        encoder_attention_heads=shape["encoder_attention_heads"],
        encoder_ffn_dim=shape["encoder_ffn_dim"],
        dropout=0.0,
    )
    config._attn_implementation = "sdpa"
    return nn.ModuleDict({str(number): WhisperEncoderLayer(config) for number in numbers})


def _pass_on(layer: Any) -> None:
    """Makes a layer's output its input."""
    for linear in (layer.self_attn.out_proj, layer.fc2):
        nn.init.zeros_(linear.weight)
        nn.init.zeros_(linear.bias)


def _through(layers: nn.ModuleDict, states: Tensor, lengths: Tensor) -> Tensor:
    mask = present(lengths, states.shape[1])[:, None, None]
    for layer in layers.values():
        states = layer(states, mask)
    return states


def load_encoder(half: LowerEncoder | UpperEncoder, weights: Mapping[str, Tensor]) -> None:
    """Takes a half's own weights out of the whole encoder's; projection and added layers that are not among them stay as they are.

    Raises:
        CheckpointError: a weight is missing.
    """
    own = {name: value for name, value in weights.items() if name in half.state_dict()}
    missing, _ = half.load_state_dict(own, strict=False)
    if lacking := [name for name in missing if not name.startswith(("proj.", *layer_prefixes(half.added)))]:
        raise CheckpointError(f"the encoder's weights lack {', '.join(lacking)}")


def save_tower(folder: Path, upper: UpperEncoder, blank: Tensor, log_scale: Tensor) -> None:
    """Writes what was trained, in bfloat16: the upper half under the stock tower's names, the blank vector, the logits' scale."""
    tensors = {**upper.state_dict(), BLANK_NAME: blank, SCALE_NAME: log_scale}
    tensors = {name: tensor.detach().to("cpu", torch.bfloat16) for name, tensor in tensors.items()}
    save_file(tensors, folder / TOWER_FILE, metadata={"format": "pt"})


def load_upper(upper: UpperEncoder, weights: Mapping[str, Tensor]) -> None:
    """Takes the upper half's weights out of a trained tower's; added layers that it lacks stay as they are.

    Raises:
        CheckpointError: they do not fit.
    """
    own = {name: value for name, value in weights.items() if name not in (BLANK_NAME, SCALE_NAME)}
    fresh = {name: value for name, value in upper.state_dict().items() if name.startswith(layer_prefixes(upper.added))}
    try:
        upper.load_state_dict({**fresh, **own})
    except RuntimeError as error:
        raise CheckpointError(f"the tower does not fit: {error}") from error


def trained_layers(names: Iterable[str], own: int) -> range:
    """Which layers weights are of, those added behind the encoder's own among them.

    Args:
        names: of the weights.
        own: how many layers the encoder has without the added ones.
    """
    numbers = {int(name.split(".")[1]) for name in names if name.startswith("layers.")}
    return range(min(numbers, default=own), max(own, max(numbers, default=0) + 1))


def layer_prefixes(layers: range) -> tuple[str, ...]:
    """What the names of layers' weights begin with."""
    return tuple(f"layers.{number}." for number in layers)


def load_tower(encoder: Any, path: Path) -> Tensor:
    """Puts what was trained into a stock `Qwen2_5OmniAudioEncoder`; returns the blank vector, (width,), float32.

    Raises:
        CheckpointError: the file does not fit.
    """
    tensors = load_file(path)
    blank = tensors.pop(BLANK_NAME).float()
    tensors.pop(SCALE_NAME)  # of training alone
    _, unexpected = encoder.load_state_dict(tensors, strict=False)
    if unexpected:
        raise CheckpointError(f"{path} does not fit the audio tower: {', '.join(unexpected)}")
    return blank
