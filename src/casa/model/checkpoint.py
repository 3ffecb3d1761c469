"""Saves and loads a CASA model: PEFT adapter, safety attention, and a config that ties them to their base model."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from casa.errors import CheckpointError
from casa.hashing import sha256_of
from casa.method.config import CasaConfig
from casa.model import embedded
from casa.model.attach import add_token_rows, describe, fresh_attention
from casa.model.families import load_base, load_processor

if TYPE_CHECKING:
    from casa.model.casa_model import CasaModel

CONFIG_FILE = "casa_config.json"
ATTENTION_FILE = "safety_attention.safetensors"
ADAPTER_FILE = "adapter_model.safetensors"
ADAPTER_CONFIG_FILE = "adapter_config.json"
FORMAT = 1


def save(model: CasaModel, folder: Path) -> None:
    """Writes a trained model's folder; the config comes last, so an interrupted save is not loadable.

    Raises:
        CheckpointError: the adapter was merged into the base model and cannot be taken out again.
    """
    if not hasattr(model.model, "peft_config"):
        raise CheckpointError("this model was loaded merged; load it with merge=False to save its adapter")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_FILE).unlink(missing_ok=True)
    model.model.save_pretrained(str(folder), save_embedding_layers=False)  # type: ignore[operator]
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty model card
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.safety_attention.state_dict().items()}
    save_file(state, folder / ATTENTION_FILE)
    _strip_paths(folder / ADAPTER_CONFIG_FILE, model.base["name"])
    write_config(folder, model.config, model.base)


def write_config(folder: Path, config: CasaConfig, base: dict[str, str]) -> None:
    """Writes `casa_config.json`, with the checksums of the files beside it."""
    files = (ADAPTER_FILE, ATTENTION_FILE, ADAPTER_CONFIG_FILE)
    content = {
        "format": FORMAT,
        "base_model": base,
        "casa": asdict(config),
        "sha256": {name: sha256_of(folder / name) for name in files},
    }
    (folder / CONFIG_FILE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def load(
    source: str | Path,
    *,
    base_model: str | None = None,
    merge: bool | None = None,
    dtype: torch.dtype | str = "auto",
    overrides: dict[str, Any] | None = None,
    **options: Any,
) -> CasaModel:
    """Loads a trained CASA model, after checking that every piece is there, unaltered, and fits the base model.

    Args:
        source: "casa-nano", a folder written by `save`, or a hub id.
        base_model: hub id or folder of the base model; None takes the one the adapter was trained on.
        merge: merge the adapter into the weights, so that decoding costs nothing more; None merges unless the base is
            quantised. A merged model cannot be saved again.
        dtype: of the base model.
        overrides: fields of CasaConfig to change (threshold, gate, safety_prompt).
        options: further arguments of the base model's `from_pretrained` (device_map, revision ...).

    Raises:
        CheckpointError: a file is missing or altered, or the base model is another one.
    """
    from peft import PeftModel

    from casa.model.casa_model import CasaModel

    folder = resolve(source, options)
    content = read_config(folder)
    config = CasaConfig.from_dict({**content["casa"], **(overrides or {})})
    name = base_model or content["base_model"]["name"]
    processor = load_processor(name, **options)
    base = load_base(name, dtype, **options)
    found = describe(base)
    if found["fingerprint"] != content["base_model"]["fingerprint"]:
        raise CheckpointError(
            f"the adapter in {folder} was trained on {content['base_model']['name']!r}; {name!r} has other weights"
        )
    attention = fresh_attention(base, config)
    _load_attention(attention, folder / ATTENTION_FILE)
    tokens = add_token_rows(base, processor, config)
    model: Any = PeftModel.from_pretrained(base, str(folder), is_trainable=merge is False)
    _require_finite(model, folder)
    if merge or (merge is None and not getattr(base, "is_quantized", False)):
        model = model.merge_and_unload()
    identity = {**content["base_model"]}
    return CasaModel(model, processor, attention, tokens, config, identity).eval()


def load_trained_weights(model: CasaModel, folder: Path) -> None:
    """Puts the weights of a saved CASA model into a freshly attached one of the same shape, to train on.

    Raises:
        CheckpointError: the folder is no intact CASA model, or of another base model or shape.
    """
    from peft import load_peft_weights, set_peft_model_state_dict

    content = read_config(folder)
    if content["base_model"]["fingerprint"] != model.base["fingerprint"]:
        raise CheckpointError(f"{folder} was trained on {content['base_model']['name']!r}, not on this base model")
    try:
        set_peft_model_state_dict(model.model, load_peft_weights(str(folder), device="cpu"))
    except RuntimeError as error:
        raise CheckpointError(f"the adapter in {folder} has another shape: {error}") from error
    _load_attention(model.safety_attention, folder / ATTENTION_FILE)


def resolve(source: str | Path, options: dict[str, Any]) -> Path:
    """The folder of a CASA model: shipped, local, or fetched from the hub (because the user named a hub id)."""
    if shipped := embedded.adapter_folder(str(source)):
        return shipped
    if Path(source).is_dir():
        return Path(source)
    from huggingface_hub import snapshot_download

    hub = {name: options[name] for name in ("revision", "token", "local_files_only") if name in options}
    return Path(snapshot_download(str(source), allow_patterns=["*.json", "*.safetensors"], **hub))


def read_config(folder: Path) -> dict[str, Any]:
    """`casa_config.json`, once all files that it names are there and unaltered.

    Raises:
        CheckpointError: something is missing, altered or malformed.
    """
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise CheckpointError(
            f"{folder} has no {CONFIG_FILE}, so it is no CASA model. Train one with `casa train`, or name one that is."
        )
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        checksums, fields = content["sha256"], (content["base_model"]["fingerprint"], content["casa"])
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is malformed: {error!r}") from error
    if content.get("format") != FORMAT or not fields:
        raise CheckpointError(f"{path} has format {content.get('format')}, this version reads {FORMAT}")
    for name in (ADAPTER_FILE, ATTENTION_FILE, ADAPTER_CONFIG_FILE):
        file = folder / name
        if not file.is_file():
            raise CheckpointError(f"{folder} lacks {name}; nothing is answered without it. Fetch the folder again.")
        if sha256_of(file) != checksums.get(name):
            raise CheckpointError(f"{file} is not the file that was saved (its checksum differs). Fetch it again.")
    return content


def _load_attention(attention: torch.nn.Module, path: Path) -> None:
    try:
        attention.load_state_dict(load_file(path))
    except (RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"{path} does not fit this model's safety attention: {error}") from error
    if not all(tensor.isfinite().all() for tensor in attention.state_dict().values()):
        raise CheckpointError(f"{path} holds values that are not finite")


def _require_finite(model: Any, folder: Path) -> None:
    adapters = (p for name, p in model.named_parameters() if "lora_" in name or "trainable_tokens" in name)
    if not all(parameter.isfinite().all() for parameter in adapters):
        raise CheckpointError(f"the adapter in {folder} holds values that are not finite")


def _strip_paths(path: Path, base_name: str) -> None:
    """PEFT records where the base model lay on this machine; its name is enough."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content["base_model_name_or_path"] = base_name
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
