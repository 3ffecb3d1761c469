"""The exported checkpoint of a CASA model: the one that was named, or one that is made in the user's cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from casa.cache import cache_root
from casa.errors import CheckpointError
from casa.hashing import sha256_of
from casa.model.casa_model import CasaModel
from casa.model.checkpoint import CONFIG_FILE, read_config, resolve
from casa.model.embedded import base_source
from casa.serving.vllm.export import MANIFEST, export, read_settings
from casa.serving.vllm.settings import FORMAT


class Exported(NamedTuple):
    """A checkpoint for vLLM.

    Attributes:
        folder: where it is.
        safety_prompt: the model's own, which is not in the checkpoint: the door puts it into the system message.
    """

    folder: Path
    safety_prompt: str | None = None


def exported(source: str, threshold: float | None, load: Callable[..., CasaModel]) -> Exported:
    """Finds a model's checkpoint, or writes it: one for each state of the model's folder, base model and threshold.

    A checkpoint that is found is not read here; who loads it checks it.

    Args:
        source: a folder of `casa export`, or what `CasaModel.from_pretrained` takes.
        threshold: instead of the model's own; None for that.
        load: `load(source, folder)` loads the model that will be written to `folder`.

    Raises:
        CheckpointError: the folder is not intact, vLLM cannot serve the model, or a checkpoint has another threshold.
    """
    if (Path(source) / MANIFEST).is_file():
        own = read_settings(Path(source)).config.threshold
        if threshold not in (None, own):
            raise CheckpointError(f"{source} was exported with threshold {own}; export it again with --threshold")
        return Exported(Path(source))
    content = read_config(resolve(source))
    base = base_source(content["base_model"]["name"])
    folder = _folder(source, base, content["casa"]["threshold"] if threshold is None else threshold)
    if not (folder / MANIFEST).is_file():
        casa = load(source, folder)
        casa.config = replace(
            casa.config, threshold=casa.config.threshold if threshold is None else threshold, safety_prompt=None
        )
        try:
            export(casa, folder)
        except CheckpointError:
            if not (folder / MANIFEST).is_file():  # another server may have written the same one meanwhile
                raise
    return Exported(folder, content["casa"]["safety_prompt"])


def _folder(source: str, base: str, threshold: float) -> Path:
    """Named after everything that the checkpoint is made of; `casa_config.json` holds the checksums of all but the base model.

    That is named by its id or folder; the folder of an embedded one changes with what is in it.
    """
    made_of = f"{FORMAT} {sha256_of(resolve(source) / CONFIG_FILE)} {base} {threshold!r}"
    key = hashlib.sha256(made_of.encode()).hexdigest()[:12]
    return cache_root() / "vllm" / f"{Path(source).name}-{key}"
