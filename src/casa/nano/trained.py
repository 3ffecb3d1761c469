"""What was trained here for casa-nano's base model, and how it is put into the thinker: towers, and the reading of their output.

A folder of it holds `manifest.json` (checksums, and how each part was made) and, as far as they exist,
`vision/` (`config.json`, `tower.safetensors`), `audio/` (`tower.safetensors`: what of Whisper's encoder was tuned) and
`reading/` (a LoRA adapter of the language model, see `casa.nano.align`).
"""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any

from casa.errors import CheckpointError
from casa.hashing import is_intact

MANIFEST_FILE, TOWER_FILE, CONFIG_FILE = "manifest.json", "tower.safetensors", "config.json"
PARTS = {"vision": frozenset({"image", "video"}), "audio": frozenset({"audio"}), "reading": frozenset[str]()}


def trained_folder() -> Path:
    """The shipped one, inside the package; it may not exist."""
    return Path(str(resources.files("casa.nano"))) / "trained"


def parts_of(folder: Path) -> dict[str, Any]:
    """Manifest entries by part, each with `files` (SHA-256 by name) and `made_by`; empty if there is no such folder."""
    manifest = folder / MANIFEST_FILE
    return dict(json.loads(manifest.read_text(encoding="utf-8"))["parts"]) if manifest.is_file() else {}


def fingerprint(folder: Path) -> str:
    """Eight hexadecimal digits that change with any of the weights; empty if there are none."""
    parts = parts_of(folder)
    files = json.dumps({name: part["files"] for name, part in parts.items()}, sort_keys=True)
    return hashlib.sha256(files.encode()).hexdigest()[:8] if parts else ""


def media_refused(folder: Path) -> list[str]:
    """Media that the model cannot take yet, for `untrained_media`: a tower is of no use to a language model that cannot read it."""
    parts = parts_of(folder)
    return sorted(frozenset().union(*(media for name, media in PARTS.items() if not {name, "reading"} <= parts.keys())))


def vision_shape(folder: Path) -> dict[str, int | list[int]]:
    """The trained vision tower's shape, for `vision_config`; empty if there is none."""
    if "vision" not in parts_of(folder):
        return {}
    config = json.loads((folder / "vision" / CONFIG_FILE).read_text(encoding="utf-8"))
    names = ("depth", "hidden_size", "intermediate_size", "num_heads", "out_hidden_size", "fullatt_block_indexes")
    return {name: config[name] for name in names}


def audio_shape(folder: Path) -> dict[str, int]:
    """What of the trained audio tower's shape is not Whisper's, for `audio_config`; empty if there is no such tower."""
    from safetensors import safe_open

    from casa.nano.audio.head import trained_layers
    from casa.nano.audio.whisper import TINY_EN

    if "audio" not in parts_of(folder):
        return {}
    with safe_open(folder / "audio" / TOWER_FILE, "pt") as weights:
        return {"encoder_layers": trained_layers(weights.keys(), TINY_EN["encoder_layers"]).stop}


def check_files(folder: Path) -> None:
    """Compares all files with the manifest.

    Raises:
        CheckpointError: a file is missing or not the one that was shipped.
    """
    for name, part in parts_of(folder).items():
        for file, expected in part["files"].items():
            if not is_intact(path := folder / name / file, expected):
                raise CheckpointError(f"{path} is missing or altered; reinstall casa-mllm")


def put_into(thinker: Any, folder: Path, whisper: Path | None) -> Any:
    """Puts everything that was trained into a thinker; returns it with the reading adapter merged.

    Args:
        thinker: casa-nano's, of the shape that `vision_shape` and `audio_shape` say.
        folder: as this module's docstring says.
        whisper: Whisper's CTranslate2 file; needed if there is an audio tower.

    Raises:
        CheckpointError: files are altered, or do not fit.
    """
    from safetensors.torch import load_file

    from casa.model.checkpoint import with_adapter

    check_files(folder)
    parts = parts_of(folder)
    if "vision" in parts:
        thinker.base_model.visual.load_state_dict(load_file(folder / "vision" / TOWER_FILE))
    if "audio" in parts:
        _put_audio(thinker.base_model.audio_tower, folder / "audio" / TOWER_FILE, whisper)
    if "reading" in parts:
        thinker = with_adapter(thinker, folder / "reading", trainable=False).merge_and_unload()
    return thinker


def _put_audio(encoder: Any, tower: Path, whisper: Path | None) -> None:
    from casa.nano.audio.head import load_tower
    from casa.nano.audio.whisper import encoder_weights, load_whisper

    if whisper is None:
        raise CheckpointError("casa-nano's audio tower needs Whisper's encoder, which it was tuned from")
    load_whisper(encoder, encoder_weights(whisper))
    load_tower(encoder, tower)
