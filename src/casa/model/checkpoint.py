"""Saves and loads a CASA model: PEFT adapter, safety attention, and a config that ties them to their base model."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from casa.errors import CheckpointError
from casa.hashing import sha256_of
from casa.method.config import CasaConfig
from casa.method.tokens import SafetyTokens
from casa.model import embedded
from casa.model.attach import add_token_rows, describe, fresh_attention
from casa.model.bases import load_base, load_processor, pinned
from casa.model.layouts import renamed_config, renaming, require_same_names

if TYPE_CHECKING:
    from casa.model.casa_model import CasaModel

CONFIG_FILE = "casa_config.json"
ATTENTION_FILE = "safety_attention.safetensors"
ADAPTER_FILE = "adapter_model.safetensors"
ADAPTER_CONFIG_FILE = "adapter_config.json"
FORMAT = 1
OVERRIDABLE = ("threshold", "gate", "safety_prompt")
_FILES = (ADAPTER_FILE, ATTENTION_FILE, ADAPTER_CONFIG_FILE)


class Weights(NamedTuple):
    """What a trained model's folder holds.

    Attributes:
        adapter: by the names in the PEFT model.
        attention: safety attention's, its frozen query with them.
    """

    adapter: dict[str, Tensor]
    attention: dict[str, Tensor]


def save(model: CasaModel, folder: Path, weights: Weights | None = None) -> None:
    """Writes a trained model's folder; the config comes last, so an interrupted save is not loadable.

    Args:
        model: the model.
        folder: where to.
        weights: where the model itself holds only a part of them.

    Raises:
        CheckpointError: the adapter was merged into the base model and cannot be taken out again.
    """
    if model.merged:
        raise CheckpointError("this model was loaded merged; load it with merge=False to save its adapter")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_FILE).unlink(missing_ok=True)
    adapter, attention = weights or (None, model.safety_attention.state_dict())
    model.model.save_pretrained(str(folder), save_embedding_layers=False, state_dict=adapter)  # type: ignore[operator]
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty model card
    save_file({name: tensor.cpu().contiguous() for name, tensor in attention.items()}, folder / ATTENTION_FILE)
    strip_paths(folder / ADAPTER_CONFIG_FILE, model.base["name"])
    write_config(folder, model.config, model.base, model.tokens)


def write_config(folder: Path, config: CasaConfig, base: dict[str, str], tokens: SafetyTokens) -> None:
    """Writes `casa_config.json`, with checksums of its own settings and of the files beside it."""
    settings = {"base_model": base, "casa": asdict(config), "tokens": tokens._asdict()}
    content = {
        "format": FORMAT,
        **settings,
        "sha256": {"settings": settings_digest(settings), **{name: sha256_of(folder / name) for name in _FILES}},
    }
    (folder / CONFIG_FILE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def load(
    source: str | Path,
    *,
    base_model: str | None = None,
    merge: bool | None = None,
    dtype: torch.dtype | str = "auto",
    overrides: dict[str, Any] | None = None,
    revision: str | None = None,
    base_revision: str | None = None,
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
        revision: of the CASA model, if it is a hub id.
        base_revision: of the base model, if that is a hub id; None takes the commit that the adapter was trained on,
            where it is known.
        options: further arguments of the base model's `from_pretrained` (device_map, quantization_config ...); `token`, `cache_dir`
            and `local_files_only` serve both downloads. Nothing is fetched unless `source` or the base model is a hub id, and
            then nothing with `local_files_only` or HF_HUB_OFFLINE=1.

    Raises:
        CheckpointError: a file is missing or altered, it cannot be fetched, or the base model is another one.
    """
    from casa.model.casa_model import CasaModel

    if fixed := sorted(set(overrides or {}) - set(OVERRIDABLE)):
        raise CheckpointError(f"{', '.join(fixed)} cannot be changed after training; {', '.join(OVERRIDABLE)} can")
    shared = ("token", "cache_dir", "local_files_only")
    folder = resolve(source, revision=revision, **{name: options[name] for name in shared if name in options})
    content = read_config(folder)
    config = CasaConfig.from_dict({**content["casa"], **(overrides or {})})
    name = base_model or content["base_model"]["name"]
    known = {} if base_model else pinned(content["base_model"])
    options |= {"revision": base_revision} if base_revision else known
    processor = load_processor(name, **options)
    base = load_base(name, dtype, **options)
    require_same_base(content["base_model"], describe(base), folder)
    attention = fresh_attention(base, config)
    _load_attention(attention, folder / ATTENTION_FILE)
    tokens = add_token_rows(base, processor, config)
    if tokens._asdict() != content["tokens"]:
        raise CheckpointError(
            f"the safety tokens are {tokens}, the adapter in {folder} was trained with {content['tokens']}"
        )
    model: Any = with_adapter(base, folder, trainable=merge is False)
    if merge or (merge is None and not getattr(base, "is_quantized", False)):
        model = model.merge_and_unload()
    return CasaModel(model, processor, attention, tokens, config, content["base_model"]).eval()


def load_trained_weights(model: CasaModel, folder: Path, variants: bool = False) -> None:
    """Puts the weights of a saved CASA model into a freshly attached one of the same shape, to train on.

    The safety query is no trained weight: where the model has other descriptions than the folder, it keeps its own.

    Args:
        model: changed in place.
        folder: written by `save`.
        variants: whether a fine-tuned variant of the base model it was trained on will do, as a start.

    Raises:
        CheckpointError: the folder is no intact CASA model, or of another base model or shape.
    """
    content = read_config(folder)
    saved = content["base_model"]
    require_same_base(saved, {**model.base, "layers": ""} if variants else model.base, folder)
    load_adapter(model.model, folder)
    query = model.safety_attention.query_embedding.clone()
    _load_attention(model.safety_attention, folder / ATTENTION_FILE)
    if CasaConfig.from_dict(content["casa"]).query_descriptions != model.config.query_descriptions:
        model.safety_attention.query_embedding.copy_(query)


def load_adapter(model: Any, folder: Path) -> None:
    """Puts a saved adapter's weights into a PEFT model with an adapter of the same shape.

    Raises:
        CheckpointError: it has another shape.
    """
    from peft import set_peft_model_state_dict

    weights = load_file(folder / ADAPTER_FILE)
    if rename := renaming(model.get_base_model(), weights, folder):
        weights = rename.weights(weights)
    require_same_names(model, weights, folder)
    try:
        set_peft_model_state_dict(model, weights)
    except RuntimeError as error:
        raise CheckpointError(f"the adapter in {folder} has another shape: {error}") from error


def resolve(source: str | Path, **hub: Any) -> Path:
    """The folder of a CASA model: shipped, local, or fetched from the hub (because the user named a hub id).

    Args:
        source: its name.
        hub: `revision`, `token`, `cache_dir` and `local_files_only` of `huggingface_hub.snapshot_download`.

    Raises:
        CheckpointError: it is none of the three.
    """
    if shipped := embedded.adapter_folder(str(source)):
        return shipped
    if Path(source).is_dir():
        return Path(source)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(str(source), allow_patterns=["*.json", "*.safetensors"], **hub))
    except HFValidationError as error:
        raise CheckpointError(f"{source} is neither a folder here nor a hub id") from error
    except LocalEntryNotFoundError as error:
        raise CheckpointError(
            f"{source} is no folder here, and of a model of this name on the hub nothing is in the cache; it can only be fetched "
            "with a connection, and without HF_HUB_OFFLINE and local_files_only"
        ) from error
    except HfHubHTTPError as error:
        raise CheckpointError(
            f"{source} is no folder here, and the hub does not give it: {error}. A private one needs a token (`hf auth login`)."
        ) from error


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
        checksums = content["sha256"]
        settings = {name: content[name] for name in ("base_model", "casa", "tokens")}
        if content["format"] != FORMAT:
            raise CheckpointError(f"{path} has format {content['format']}, this version reads {FORMAT}")
        if settings_digest(settings) != checksums["settings"]:
            raise CheckpointError(f"{path} is not as it was saved (its checksum differs). Fetch it again.")
        CasaConfig.from_dict(content["casa"])
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path} is malformed: {error!r}") from error
    for name in _FILES:
        file = folder / name
        if not file.is_file():
            raise CheckpointError(f"{folder} lacks {name}; nothing is answered without it. Fetch the folder again.")
        if sha256_of(file) != checksums.get(name):
            raise CheckpointError(f"{file} is not the file that was saved (its checksum differs). Fetch it again.")
    return content


def settings_digest(settings: dict[str, Any]) -> str:
    """SHA-256 of settings as they are saved."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def require_same_base(saved: dict[str, str], found: dict[str, str], folder: Path) -> None:
    """Checks that a folder was trained on this base model.

    Args:
        saved: its name and digests in the folder.
        found: from `describe`.
        folder: named in the error.

    Raises:
        CheckpointError: the weights differ.
    """
    layers = saved.get("layers"), found.get("layers")
    if saved["fingerprint"] != found["fingerprint"] or (all(layers) and layers[0] != layers[1]):
        raise CheckpointError(f"{folder} was trained on {saved['name']!r}; {found['name']!r} has other weights")


def with_adapter(base: Any, folder: Path, trainable: bool) -> Any:
    """The base model with the folder's adapter, whose every weight is there and finite (PEFT itself only warns).

    Raises:
        CheckpointError: it does not fit, or holds a value that is not finite.
    """
    from peft import PeftConfig, PeftModel

    weights = load_file(folder / ADAPTER_FILE)
    options: dict[str, Any] = {}
    if rename := renaming(base, weights, folder):
        config = renamed_config(PeftConfig.from_pretrained(str(folder)), rename, weights, folder)
        options = {"config": config, "key_mapping": rename.key_mapping()}
        weights = rename.weights(weights)
    try:
        model = PeftModel.from_pretrained(base, str(folder), is_trainable=trainable, **options)
    except (ValueError, RuntimeError, KeyError) as error:
        raise CheckpointError(f"the adapter in {folder} does not fit this base model: {error}") from error
    require_same_names(model, weights, folder)
    if not all(tensor.isfinite().all() for tensor in weights.values()):
        raise CheckpointError(f"the adapter in {folder} holds values that are not finite")
    return model


def _load_attention(attention: torch.nn.Module, path: Path) -> None:
    try:
        attention.load_state_dict(load_file(path))
    except (RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"{path} does not fit this model's safety attention: {error}") from error
    if not all(tensor.isfinite().all() for tensor in attention.state_dict().values()):
        raise CheckpointError(f"{path} holds values that are not finite")


def strip_paths(path: Path, base_name: str) -> None:
    """PEFT records where the base model lay on this machine; its name is enough."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content["base_model_name_or_path"] = base_name
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
