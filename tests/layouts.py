"""Adapters as another version of transformers would have named their weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from casa.hashing import sha256_of
from casa.model.families import decoder_of

# Where Qwen2.5-Omni's decoder is before transformers 5.20, since then, and in no version.
PLACES = ("model", "model.language_model", "thinker.model")


def place_of(base: Any) -> str:
    """Where the decoder is in this version."""
    decoder = decoder_of(base)
    return next(name for name, module in base.named_modules() if module is decoder)


def move(folder: Path, base: Any, place: str) -> None:
    """Rewrites a saved adapter as if the decoder had been at `place`, with whole names in its config."""
    here = f"{place_of(base)}."

    def moved(name: str) -> str:
        return f"{place}.{name.removeprefix(here)}" if name.startswith(here) else name

    peft = "base_model.model."
    weights = load_file(folder / "adapter_model.safetensors")
    weights = {peft + moved(name.removeprefix(peft)): tensor for name, tensor in weights.items()}
    save_file(weights, folder / "adapter_model.safetensors")
    config = json.loads((folder / "adapter_config.json").read_text())
    config["target_modules"] = sorted({n.removeprefix(peft).split(".lora_")[0] for n in weights if ".lora_" in n})
    rows = config["trainable_token_indices"]
    config["trainable_token_indices"] = {moved(name): ids for name, ids in rows.items()} if rows else rows
    (folder / "adapter_config.json").write_text(json.dumps(config))
    renew_checksums(folder)


def renew_checksums(folder: Path) -> None:
    """Makes a CASA folder's checksums those of its files; does nothing to other folders."""
    if (path := folder / "casa_config.json").is_file():
        config = json.loads(path.read_text())
        files = {name: sha256_of(folder / name) for name in config["sha256"] if name != "settings"}
        config["sha256"] |= files
        path.write_text(json.dumps(config))
