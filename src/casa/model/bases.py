"""Base models and their processors, loaded from a hub id, a folder, or casa-nano's package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
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
    if commit := _commit(source, **_of_source(options)):
        options["revision"] = commit  # so that a branch cannot move between config and weights
    loader, _ = _loader(source, **_of_source(options))
    model: Any = loader.from_pretrained(source, dtype=dtype, **options)
    model.hub_commit = commit
    if "device_map" not in options and "quantization_config" not in options and torch.cuda.is_available():
        model = model.to("cuda")
    loaded: nn.Module = model.eval()
    return loaded


def pinned(base: Mapping[str, str]) -> dict[str, str]:
    """Options that load the very files of a base model as `casa.model.attach.describe` tells of it; none if it lay in a folder."""
    return {"revision": base["revision"]} if "revision" in base else {}


def empty_base(source: str, dtype: torch.dtype | str = "auto", **options: Any) -> nn.Module:
    """The model that `load_base` would load, without its weights: only the config is read, all tensors are on the meta device.

    Args:
        source: hub id, folder, or "casa-nano".
        dtype: "auto" for the one that the config names.
        options: as in `load_base`; of them, those that say where the config comes from.
    """
    _, config = _loader(base_source(source), **_of_source(options))
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

    return AutoProcessor.from_pretrained(base_source(source), **_of_source(options))


def _of_source(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name in SOURCE_OPTIONS}


def _commit(source: str, gguf_file: str | None = None, **where: Any) -> str | None:
    """The commit that a hub id's files are of; None for a folder."""
    from transformers.utils import CONFIG_NAME
    from transformers.utils.hub import cached_file, extract_commit_hash

    if Path(source).is_dir():
        return None
    file = cached_file(
        source,
        gguf_file or CONFIG_NAME,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
        **where,
    )
    commit: str | None = extract_commit_hash(file, None)
    return commit
