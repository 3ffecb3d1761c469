"""Which weights a model's name stands for: names stay, weights change."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from casa.hashing import sha256_of
from casa.model.checkpoint import read_config, resolve
from casa.model.embedded import base_source

_LOADED = {".bin", ".gguf", ".jinja", ".json", ".model", ".safetensors", ".txt"}  # what `from_pretrained` reads


def checksums(model: str) -> dict[str, str]:
    """What tells a model from another of the same name: checksums of its base model ("base") and of its own files.

    Args:
        model: "casa/SOURCE", or "undefended/SOURCE" for its base model alone.

    Raises:
        CheckpointError: the source is no CASA model.
    """
    provider, _, source = model.partition("/")
    content = read_config(resolve(source))
    own = content["sha256"] if provider == "casa" else {}
    return {"base": _base_checksum(content["base_model"]), **own}


def _base_checksum(base: Mapping[str, str]) -> str:
    """SHA-256 over the files of a base model's folder; of one on the hub, its commit."""
    folder = Path(base_source(base["name"]))
    if not folder.is_dir():
        from transformers.utils import cached_file

        return base.get("revision") or Path(str(cached_file(base["name"], "config.json"))).parent.name
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.suffix in _LOADED and path.is_file()):
        digest.update(f"{path.name} {_checksum(path, path.stat().st_size, path.stat().st_mtime_ns)}\n".encode())
    return digest.hexdigest()


@lru_cache
def _checksum(path: Path, size: int, changed_ns: int) -> str:
    """SHA-256 of a file, read again only when it has changed."""
    return sha256_of(path)
