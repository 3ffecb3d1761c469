"""Writes a CASA model as one checkpoint that vLLM loads by itself, and checks such a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from casa.errors import CheckpointError
from casa.folders import complete_folder
from casa.hashing import sha256_of
from casa.model.casa_model import CasaModel
from casa.model.families import untrained_media
from casa.serving.vllm import PREFIX
from casa.serving.vllm.reference import write_references
from casa.serving.vllm.settings import KEY, WEIGHT_PREFIX, ServedSettings, weights_digest

ATTENTION_FILE = "safety_attention.safetensors"
INDEX_FILE = "model.safetensors.index.json"
MANIFEST = "casa_export.json"


def export(casa: CasaModel, folder: Path, max_shard_size: str = "5GB") -> Path:
    """Writes base model, merged adapter, token rows, safety attention, processor and reference verdicts into a new folder.

    The folder appears only when it is complete and has been read back.

    Args:
        casa: loaded with its adapter merged.
        folder: must not exist yet.
        max_shard_size: of the weight files.

    Raises:
        CheckpointError: the folder exists, the adapter is not merged, or vLLM cannot serve such a model.
    """
    if not casa.merged:
        raise CheckpointError("the adapter is not merged into the weights; load the model with merge=True")
    if getattr(casa.base_model, "is_quantized", False):
        raise CheckpointError("a quantised base model cannot be exported; export it unquantised")
    settings = served_settings(casa)
    with complete_folder(folder) as scratch:
        _write(casa, settings, scratch, max_shard_size)
        _write_manifest(scratch)
        verify(scratch)
    return folder


def served_settings(casa: CasaModel) -> ServedSettings:
    """What the checkpoint says of CASA.

    Raises:
        CheckpointError: vLLM cannot serve such a model.
    """
    attention = casa.safety_attention
    return ServedSettings(
        config=casa.config,
        tokens=casa.tokens,
        num_heads=attention.num_heads,
        head_dim=attention.head_dim,
        stop_id=casa.chat.end_of_turn_id(),
        control_ids=tuple(sorted(casa.chat.control.ids)),
        untrained_media=tuple(sorted(untrained_media(casa.base_model))),
        weights_sha256=weights_digest(attention.state_dict()),
    )


def verify(folder: Path) -> ServedSettings:
    """Checks that an exported checkpoint is whole and unaltered; reads every byte of it.

    Raises:
        CheckpointError: something is missing, altered or malformed.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder} is no checkpoint of `casa export`: {error!r}") from error
    for name, digest in manifest.items():
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder} lacks {name}; export it again")
        if sha256_of(folder / name) != digest:
            raise CheckpointError(f"{folder / name} is not the file that was exported; export it again")
    if extra := sorted({path.name for path in folder.glob("*.safetensors")} - set(manifest)):
        raise CheckpointError(f"{folder} holds weights that were not exported: {', '.join(extra)}")
    settings = read_settings(folder)
    state = {name.removeprefix(WEIGHT_PREFIX): t for name, t in load_file(folder / ATTENTION_FILE).items()}
    if weights_digest(state) != settings.weights_sha256:
        raise CheckpointError(f"{folder / ATTENTION_FILE} is not the safety attention that config.json names")
    return settings


def read_settings(folder: Path) -> ServedSettings:
    """What an exported checkpoint says of CASA, without a look at its weights.

    Raises:
        CheckpointError: config.json is missing, altered or malformed.
    """
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder} has no readable config.json: {error!r}") from error
    return ServedSettings.from_dict(content.get(KEY))


def _write(casa: CasaModel, settings: ServedSettings, folder: Path, max_shard_size: str) -> None:
    base = casa.base_model
    base.save_pretrained(folder, max_shard_size=max_shard_size)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    whole = _whole_config(casa)
    if hasattr(whole, "thinker_config"):
        _prefix_names(folder, "thinker.")
        config = {**whole.to_dict(), "dtype": config["dtype"], "thinker_config": config}
    config["architectures"] = [PREFIX + _architecture(whole, base)]
    config[KEY] = settings.as_dict()
    config.pop("_name_or_path", None)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    _write_attention(casa.safety_attention, folder)
    casa.processor.save_pretrained(folder)
    write_references(casa, folder)


def _whole_config(casa: CasaModel) -> Any:
    """The base checkpoint's own config: of Omni models it holds more than the part that was loaded."""
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(casa.base_model.config.name_or_path)


def _architecture(config: Any, base: Any) -> str:
    """The name under which vLLM knows the model."""
    return str((config.architectures or [type(base).__name__])[0])


def _prefix_names(folder: Path, prefix: str) -> None:
    """Puts a prefix before every weight's name, as in the checkpoint that the part was loaded from; some versions have kept it."""

    def whole(name: str) -> str:
        return name if name.startswith(prefix) else prefix + name

    for path in sorted(folder.glob("*.safetensors")):  # one at a time: a shard fits into memory
        save_file({whole(name): tensor for name, tensor in load_file(path).items()}, path, metadata={"format": "pt"})
    index = folder / INDEX_FILE
    if index.is_file():
        content = json.loads(index.read_text(encoding="utf-8"))
        content["weight_map"] = {whole(name): file for name, file in content["weight_map"].items()}
        index.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _write_attention(attention: torch.nn.Module, folder: Path) -> None:
    """Safety attention in a file of its own; where there is an index, only files named in it are read."""
    state = {WEIGHT_PREFIX + name: t.detach().float().cpu().contiguous() for name, t in attention.state_dict().items()}
    save_file(state, folder / ATTENTION_FILE, metadata={"format": "pt"})
    index = folder / INDEX_FILE
    if index.is_file():
        content = json.loads(index.read_text(encoding="utf-8"))
        content["weight_map"] |= dict.fromkeys(state, ATTENTION_FILE)
        index.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _write_manifest(folder: Path) -> None:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    content = {"sha256": {path.name: sha256_of(path) for path in files}}
    for path in files:
        path.chmod(0o644)  # safetensors writes files that only their owner reads; a server often runs as somebody else
    (folder / MANIFEST).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
