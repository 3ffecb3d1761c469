"""The folder of a defence other than CASA: it says which method it is, on which base model, and is checked when it is read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from casa.errors import CheckpointError
from casa.hashing import is_intact, sha256_of
from casa.model.attach import describe
from casa.model.bases import load_base, pinned
from casa.model.checkpoint import (
    ADAPTER_CONFIG_FILE,
    ADAPTER_FILE,
    require_same_base,
    settings_digest,
    strip_paths,
    with_adapter,
)

DEFENCE_FILE = "defence.json"
FORMAT = 1
_FIELDS = ("method", "base_model", "safety_prompt", "threshold", "settings")


@dataclass(frozen=True)
class Saved:
    """What a folder says of its defence.

    Attributes:
        method: its name in `casa.baselines.methods`.
        base_model: name, fingerprint and layers' digest of the base model, as in a CASA model's folder.
        safety_prompt: in the system message of every conversation; None for none.
        threshold: p_unsafe from which a verdict is "unsafe", in (0, 1]; of no meaning for methods without a verdict.
        settings: of the method.
    """

    method: str
    base_model: dict[str, str]
    safety_prompt: str | None = None
    threshold: float = 0.5
    settings: dict[str, Any] = field(default_factory=dict)


def write_defence(folder: Path, saved: Saved, files: Sequence[str] = ()) -> None:
    """Writes `defence.json`, with checksums of itself and of the files beside it; last, so that a killed save is not loadable."""
    content = asdict(saved)
    checksums = {"settings": settings_digest(content), **{name: sha256_of(folder / name) for name in files}}
    text = json.dumps({"format": FORMAT, **content, "sha256": checksums}, indent=2) + "\n"
    (folder / DEFENCE_FILE).write_text(text, encoding="utf-8")


def read_defence(folder: Path) -> Saved:
    """`defence.json`, once all files that it names are there and unaltered.

    Raises:
        CheckpointError: something is missing, altered or malformed.
    """
    path = folder / DEFENCE_FILE
    if not path.is_file():
        raise CheckpointError(
            f"{folder} has neither {DEFENCE_FILE} nor casa_config.json, so it is no defence. Train one with "
            "`casa train RECIPE --method NAME`."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        checksums = dict(content["sha256"])
        fields = {name: content[name] for name in _FIELDS}
        version = content["format"]
        expected = checksums.pop("settings")
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is malformed: {error!r}") from error
    if version != FORMAT:
        raise CheckpointError(f"{path} has format {version}, this version reads {FORMAT}")
    if settings_digest(fields) != expected:
        raise CheckpointError(f"{path} is not as it was saved (its checksum differs). Fetch it again.")
    for name, checksum in checksums.items():
        if not is_intact(folder / name, checksum):
            raise CheckpointError(f"{folder / name} is missing or altered. Fetch the folder again.")
    return Saved(**fields)


def save_adapter(folder: Path, model: Any, saved: Saved) -> None:
    """Writes a PEFT model's adapter and what it defends."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DEFENCE_FILE).unlink(missing_ok=True)
    model.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty model card
    strip_paths(folder / ADAPTER_CONFIG_FILE, saved.base_model["name"])
    write_defence(folder, saved, (ADAPTER_FILE, ADAPTER_CONFIG_FILE))


def base_of(folder: Path, saved: Saved) -> Any:
    """The base model that a defence was made for.

    Raises:
        CheckpointError: the weights that are found under its name are others.
    """
    base = load_base(saved.base_model["name"], **pinned(saved.base_model))
    require_same_base(saved.base_model, describe(base), folder)
    return base


def adapted_base(folder: Path, saved: Saved) -> Any:
    """The same with the folder's adapter merged into its weights, so that it costs nothing.

    Raises:
        CheckpointError: the base model is another one, or the adapter does not fit or is not finite.
    """
    return with_adapter(base_of(folder, saved), folder, trainable=False).merge_and_unload().eval()
