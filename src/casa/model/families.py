"""What differs between model families, and only that; everything else is found by looking at the model."""

from __future__ import annotations

from inspect import signature
from typing import Any

from torch import nn

_READERS = {  # attributes of processors that take such media
    "image": ("image_processor",),
    "audio": ("feature_extractor", "audio_processor"),
    "video": ("video_processor",),
}
# Granite's audio tower has no mask for its input; Phi's has none for one clip, and reads clips otherwise beside images. Mllama's
# images lie in one tensor with a row for each conversation. GLM counts frames of videos among its images' tokens.
_ALIKE = frozenset({"granite_speech", "phi4_multimodal", "mllama", "glm4v", "glm4v_moe", "glm46v"})
# Of these tensors the model reads the first row only.
_PACKED = dict.fromkeys(("minicpmv4_6", "minicpmv4_7"), frozenset({"pixel_values", "pixel_values_videos"}))


def tokenizer_of(processor: Any) -> Any:
    """The tokenizer inside a processor (a tokenizer is its own)."""
    return processor if renders_to_ids(processor) else getattr(processor, "tokenizer", processor)  # it wraps another


def renders_to_ids(tokenizer: Any) -> bool:
    """Whether a tokenizer renders conversations straight to ids, and reads no control token out of any text (mistral-common's)."""
    return type(tokenizer).__name__ == "MistralCommonBackend"


def stop_ids(model: Any, tokenizer: Any) -> list[int]:
    """Ids that end an answer."""
    eos = model.generation_config.eos_token_id
    eos = tokenizer.eos_token_id if eos is None else eos
    return list(eos) if isinstance(eos, list | tuple) else [eos]


def media_reader(processor: Any, kind: str) -> Any:
    """The part of a processor that reads a kind of media; None where the family does not take it."""
    return next((found for name in _READERS[kind] if (found := getattr(processor, name, None)) is not None), None)


def audio_window(processor: Any) -> float | None:
    """Seconds that a processor takes at most before it cuts a clip off; None for no limit."""
    if renders_to_ids(tokenizer_of(processor)):  # Voxtral's takes as many windows as a clip needs
        return None
    if longest := getattr(processor, "max_audio_len", None):  # Audio Flamingo's, in windows
        return float(longest)
    extractor = media_reader(processor, "audio")
    if window := getattr(extractor, "chunk_length", None):  # Whisper's
        return float(window)
    samples = signature(extractor.__call__).parameters.get("max_length")  # Gemma's
    return samples.default / extractor.sampling_rate if samples is not None and samples.default else None


def media_token_ids(model: nn.Module) -> dict[str, int]:
    """Id of the token whose embedding a medium's features replace, by kind; video may share the image's."""
    config: Any = model.config
    configs = (config, getattr(config, "vision_config", None), getattr(config, "audio_config", None))
    names = {kind: (f"{kind}_token_id", f"{kind}_token_index") for kind in _READERS}
    found = {
        kind: next((value for c in configs for n in names[kind] if (value := getattr(c, n, None)) is not None), None)
        for kind in _READERS
    }
    return {kind: value for kind, value in found.items() if value is not None}


def text_config(model: nn.Module) -> Any:
    """Config of the language model inside an MLLM."""
    config: Any = model.config
    return config.get_text_config(decoder=True)


def decoder_of(model: Any) -> nn.Module:
    """The module whose output is the final hidden states, (batch, tokens, hidden_size)."""
    decoder: nn.Module = model.get_decoder()
    while (inner := _inside(decoder)) is not None:
        decoder = inner
    return decoder


def _inside(decoder: Any) -> Any:
    """The language model in a module that wraps one, as a causal LM does; None where it is the decoder itself."""
    inner = getattr(decoder, "language_model", None)
    return inner if inner is not None or not hasattr(decoder, "lm_head") else decoder.model


def final_norm_of(model: Any) -> nn.Module:
    """The norm that ends the decoder; its input is the "pre_norm" hidden state.

    Raises:
        ValueError: the decoder has no such direct child.
    """
    norms = {
        name: child for name, child in decoder_of(model).named_children() if "norm" in type(child).__name__.lower()
    }
    if not norms:
        raise ValueError(f"{type(model).__name__} has no final norm to take the pre_norm hidden state from")
    return norms.get("norm", list(norms.values())[-1])  # Gemma 3n has others after it


def text_vocabulary(model: Any) -> int | None:
    """Ids from this one on are not read from the text embedding but as media (Gemma 3n); None where there are none such."""
    vision = getattr(model.config, "vision_config", None)
    return getattr(vision, "vocab_offset", None)


def media_batched_alike(model: nn.Module) -> bool:
    """Whether media may only share a batch with others of the same kinds and shapes."""
    return model.config.model_type in _ALIKE  # type: ignore[union-attr,operator]


def packed_media(model: nn.Module) -> frozenset[str]:
    """Names of media tensors in which all media of a batch lie in one row, along the last axis (MiniCPM-V)."""
    return _PACKED.get(model.config.model_type, frozenset())  # type: ignore[union-attr,arg-type]


def untrained_media(model: nn.Module) -> frozenset[str]:
    """Media whose towers the checkpoint declares untrained (casa-nano); they are refused."""
    return frozenset(getattr(model.config, "untrained_media", None) or ())
