"""What a model's name stands for: which method on which base model, and which weights, for names stay and weights change."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from casa.baselines.folder import DEFENCE_FILE, read_defence
from casa.errors import CheckpointError
from casa.hashing import sha256_of
from casa.model.bases import pinned
from casa.model.checkpoint import CONFIG_FILE, read_config, resolve
from casa.model.embedded import adapter_folder, base_source

_BASE_CONFIG = "config.json"
_LOADED = {".bin", ".gguf", ".jinja", ".json", ".model", ".safetensors", ".txt"}  # what `from_pretrained` reads


@dataclass(frozen=True)
class Source:
    """What is behind a name.

    Attributes:
        provider: inspect-ai's name for what answers: "casa", "defence" for another method, None for a base model alone.
        base: name of the base model and what else its folder records of it, as `casa.model.attach.describe` tells it.
        checksums: of the method's own files.
    """

    provider: str | None
    base: Mapping[str, str]
    checksums: Mapping[str, str]


def read_source(name: str) -> Source:
    """What a folder that `casa train` wrote, a base model's folder, "casa-nano", or a hub id of either stands for.

    Raises:
        CheckpointError: it is none of these, or a file is missing or altered.
    """
    if adapter_folder(name) or _holds(name, CONFIG_FILE):
        content = read_config(resolve(name))
        return Source("casa", content["base_model"], content["sha256"])
    if _holds(name, DEFENCE_FILE):
        folder = resolve(name)
        return Source("defence", read_defence(folder).base_model, {DEFENCE_FILE: sha256_of(folder / DEFENCE_FILE)})
    if _holds(name, _BASE_CONFIG):
        return Source(None, {"name": name}, {})
    raise CheckpointError(
        f"{resolve(name)} holds no model: neither {CONFIG_FILE}, nor {DEFENCE_FILE}, nor a base model's {_BASE_CONFIG}"
    )


def _holds(name: str, file: str) -> bool:
    """Whether a folder, or else a repository on the hub, has a file."""
    if Path(name).is_dir():
        return (Path(name) / file).is_file()
    from transformers.utils.hub import cached_file

    try:
        return cached_file(name, file, _raise_exceptions_for_missing_entries=False) is not None
    except OSError:  # no such repository, no right to read it, or no connection: `resolve` says which
        return False


def checksums(model: str) -> dict[str, str]:
    """What tells a model from another of the same name: checksums of its base model ("base") and of its own files.

    Args:
        model: "casa/SOURCE" or "defence/SOURCE", or "undefended/SOURCE" for its base model alone.

    Raises:
        CheckpointError: see `read_source`.
    """
    provider, _, name = model.partition("/")
    source = read_source(name)
    own = {} if provider == "undefended" else source.checksums
    return {"base": _base_checksum(source.base), **own}


def refused_media(source: Source) -> frozenset[str]:
    """Media that a base model declares untrained."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(base_source(source.base["name"]), **pinned(source.base))
    inner = getattr(config, "thinker_config", None) or config
    return frozenset(getattr(inner, "untrained_media", None) or ())


def _base_checksum(base: Mapping[str, str]) -> str:
    """SHA-256 over the files of a base model's folder; of one on the hub, its commit."""
    folder = Path(base_source(base["name"]))
    if not folder.is_dir():
        from transformers.utils.hub import cached_file

        return base.get("revision") or Path(str(cached_file(base["name"], _BASE_CONFIG))).parent.name
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.suffix in _LOADED and path.is_file()):
        digest.update(f"{path.name} {_checksum(path, path.stat().st_size, path.stat().st_mtime_ns)}\n".encode())
    return digest.hexdigest()


@lru_cache
def _checksum(path: Path, size: int, changed_ns: int) -> str:
    """SHA-256 of a file, read again only when it has changed."""
    return sha256_of(path)
