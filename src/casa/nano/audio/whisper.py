"""Whisper tiny.en's encoder from its CTranslate2 file, under the names of Qwen2.5-Omni's audio encoder."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from casa.errors import CheckpointError
from casa.nano.audio.head import layer_prefixes, trained_layers

TINY_EN = {
    "num_mel_bins": 80,
    "encoder_layers": 4,
    "encoder_attention_heads": 6,
    "encoder_ffn_dim": 1536,
    "d_model": 384,
    "n_window": 1500,  # one attention window of 30 s, as Whisper's
}
FRESH = ("proj.weight", "proj.bias", "audio_bos_eos_token.weight")  # what Whisper has no weights for

_VERSION = 6
_TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}  # CTranslate2's numbers of them
_LAYER = {  # a layer's names there -> here
    "self_attention/layer_norm": "self_attn_layer_norm",
    "self_attention/linear_1": "self_attn.out_proj",
    "ffn/layer_norm": "final_layer_norm",
    "ffn/linear_0": "fc1",
    "ffn/linear_1": "fc2",
}


def read_ctranslate2(path: Path) -> dict[str, npt.NDArray[Any]]:
    """All variables of a CTranslate2 model file, by name; aliases are left out.

    The file: version, name and revision of the specification, number of variables; for each its name, rank, shape, type, size in
    bytes, and content. Numbers are little-endian; a string is its length with the closing zero, then itself.

    Raises:
        CheckpointError: it is no such file, one of another version, or cut off.
    """
    content, place = path.read_bytes(), 0

    def number(form: str) -> int:
        nonlocal place
        (value,) = struct.unpack_from(f"<{form}", content, place)
        place += struct.calcsize(form)
        return int(value)

    def string() -> str:
        nonlocal place
        size = number("H")
        place += size
        return content[place - size : place - 1].decode()

    variables = {}
    try:
        if (version := number("I")) != _VERSION:
            raise CheckpointError(f"{path} is no CTranslate2 file of version {_VERSION} (found {version})")
        string(), number("I")
        for _ in range(number("I")):
            name = string()
            shape = [number("I") for _ in range(number("B"))]
            kind, size = _TYPES[number("B")], number("I")
            variables[name] = np.frombuffer(content[place : place + size], dtype=kind).reshape(shape)
            place += size
    except (struct.error, KeyError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path} cannot be read as a CTranslate2 file: {error}") from error
    return variables


def encoder_weights(path: Path) -> dict[str, Tensor]:
    """Weights for `Qwen2_5OmniAudioEncoder` from Whisper's CTranslate2 file, float32; all but those named in `FRESH`.

    Positions are no weights: both encoders compute the same sinusoids.

    Raises:
        CheckpointError: the file cannot be read, or does not hold Whisper's encoder.
    """
    variables = read_ctranslate2(path)
    source = {
        name.removeprefix("encoder/"): torch.from_numpy(value.astype(np.float32))
        for name, value in variables.items()
        if name.startswith("encoder/") and value.dtype.kind == "f"
    }
    try:
        weights = {name.replace("/", "."): value for name, value in source.items() if name.startswith("conv")}
        weights |= _module(source, "layer_norm", "ln_post")
        for layer in range(len([name for name in source if name.endswith("self_attention/linear_0/weight")])):
            for there, here in _LAYER.items():
                weights |= _module(source, f"layer_{layer}/{there}", f"layers.{layer}.{here}")
            fused = _module(source, f"layer_{layer}/self_attention/linear_0", "")
            for part, (weight, bias) in zip(
                "qkv", zip(*(fused[f".{p}"].chunk(3) for p in ("weight", "bias")), strict=True), strict=True
            ):
                weights[f"layers.{layer}.self_attn.{part}_proj.weight"] = weight.clone()
                if part != "k":  # keys have no bias in Whisper; there it is zero
                    weights[f"layers.{layer}.self_attn.{part}_proj.bias"] = bias.clone()
    except KeyError as error:
        raise CheckpointError(f"{path} holds no Whisper encoder: {error} is missing") from error
    return weights


def _module(source: dict[str, Tensor], there: str, here: str) -> dict[str, Tensor]:
    """Weight and bias of one linear layer or layer norm, renamed."""
    norm = there.endswith("layer_norm")
    weight, bias = ("gamma", "beta") if norm else ("weight", "bias")
    return {f"{here}.weight": source[f"{there}/{weight}"], f"{here}.bias": source[f"{there}/{bias}"]}


def load_whisper(encoder: Any, weights: dict[str, Tensor]) -> None:
    """Puts Whisper's weights into a `Qwen2_5OmniAudioEncoder`; what it has no weights for, layers behind its own too, stays.

    Raises:
        CheckpointError: the weights do not fit.
    """
    missing, unexpected = encoder.load_state_dict(weights, strict=False)
    added = layer_prefixes(range(trained_layers(weights, 0).stop, encoder.config.encoder_layers))
    if unexpected or {name for name in missing if not name.startswith(added)} != set(FRESH):
        raise CheckpointError(f"Whisper does not fit the encoder: missing {missing}, unexpected {unexpected}")
