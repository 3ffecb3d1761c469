"""A model card from what is known: the adapter's own settings, the run that made it, and results files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from casa.errors import CheckpointError
from casa.evaluation.table_parts import Result
from casa.evaluation.tables import TABLES
from casa.evaluation.text_tables import separation_table, text_table
from casa.hashing import sha256_of
from casa.model.checkpoint import ADAPTER_CONFIG_FILE, ADAPTER_FILE, read_config
from casa.training.recipe import SUMMARY_FILE
from casa.training.run_folder import RUN_FILE


def model_card(folder: Path, name: str, run: Path, results: Sequence[Path]) -> str:
    """The card as Markdown, with the hub's front matter.

    Args:
        folder: the CASA model.
        name: its name on the hub.
        run: folder with the run's summary and fields; what is not there is said to be unknown.
        results: files about this adapter.

    Raises:
        CheckpointError: a file is about another adapter, or has no table.
    """
    content = read_config(folder)
    pages = Environment(
        loader=PackageLoader("casa.evaluation", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # Markdown
    )
    return pages.get_template("model_card.md.j2").render(
        name=name,
        base=content["base_model"]["name"],
        casa=content["casa"],
        rank=_read(folder / ADAPTER_CONFIG_FILE)["r"],
        summary=_read(run / SUMMARY_FILE),
        claim=_read(run / RUN_FILE),
        tables=[_tables(path, sha256_of(folder / ADAPTER_FILE)) for path in results],
    )


def _tables(path: Path, adapter: str) -> str:
    """A results file's tables."""
    result: Result = json.loads(path.read_text(encoding="utf-8"))
    if result.get("adapter_sha256") != adapter:
        raise CheckpointError(f"{path} was measured on another adapter; measure this one first")
    if {"flagged_unsafe", "attack_success", "auroc"} <= result.keys():
        return f"{text_table(result)}\n\n{separation_table(result)}"
    found = next((render for file, render in TABLES.values() if file == path.name), None)
    if found is None:
        raise CheckpointError(
            f"no table is known for {path.name}; leave it out, or keep the name that its command gives"
        )
    return found(result)


def _read(path: Path) -> dict[str, Any]:
    """A JSON file's content; empty if it is not there."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return content
