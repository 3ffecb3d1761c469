"""Base models and their processors, loaded from a hub id, a folder, or casa-nano's package."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from casa.model.embedded import base_source

SOURCE_OPTIONS = ("revision", "token", "cache_dir", "local_files_only", "gguf_file")  # which files, and from where


def load_base(source: str, dtype: torch.dtype | str = "auto", **options: Any) -> nn.Module:
    """Loads the part of a checkpoint that reads text and media and writes text.

    It goes to the GPU if there is one, unless `device_map` says otherwise. Of Omni checkpoints (a nested `thinker_config`)
    only the thinker is loaded: the talker is not needed for the decision.

    Args:
        source: hub id, folder, or "casa-nano".
        dtype: "auto" for the checkpoint's own.
        options: further arguments of `from_pretrained` (device_map, revision, quantization_config, gguf_file ...).
    """
    source = base_source(source)
    loader, _ = _loader(source, **{k: v for k, v in options.items() if k in SOURCE_OPTIONS})
    model: nn.Module = loader.from_pretrained(source, dtype=dtype, **options)
    if "device_map" not in options and "quantization_config" not in options and torch.cuda.is_available():
        model = model.to("cuda")
    return model.eval()


def empty_base(source: str, dtype: torch.dtype | str = "auto") -> nn.Module:
    """The model that `load_base` would load, without its weights: only the config is read, all tensors are on the meta device.

    Args:
        source: hub id, folder, or "casa-nano".
        dtype: "auto" for the one that the config names.
    """
    _, config = _loader(base_source(source))
    if dtype == "auto":
        dtype = getattr(config, "dtype", None) or torch.float32
    with torch.device("meta"):
        model: nn.Module = _auto_class(config).from_config(config, dtype=dtype)
    return model.eval()


def _loader(source: str, **options: Any) -> tuple[Any, Any]:
    """The class that loads a checkpoint, and the config of the part that it loads."""
    import transformers

    config = transformers.AutoConfig.from_pretrained(source, **options)
    if thinker := getattr(config, "thinker_config", None):
        thinker.dtype = thinker.dtype or config.dtype
        return getattr(transformers, _auto_class(thinker)._model_mapping[type(thinker)].__name__), thinker
    return _auto_class(config), config


def _auto_class(config: Any) -> Any:
    import transformers as hf

    autos: list[Any] = [hf.AutoModelForMultimodalLM, hf.AutoModelForImageTextToText, hf.AutoModelForCausalLM]
    if not config.is_encoder_decoder:
        autos.append(hf.AutoModelForSeq2SeqLM)  # the only list that has Audio Flamingo 3
    return next((auto for auto in autos if type(config) in auto._model_mapping), hf.AutoModelForCausalLM)


def load_processor(source: str, **options: Any) -> Any:
    """The processor of a multimodal checkpoint, or the tokenizer of a text-only one."""
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(
        base_source(source), **{k: v for k, v in options.items() if k in SOURCE_OPTIONS}
    )
