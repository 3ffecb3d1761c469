"""What the measuring commands share: their options, and how a results file is written."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from casa.baselines.folder import DEFENCE_FILE
from casa.hashing import sha256_of
from casa.model.checkpoint import ADAPTER_FILE, resolve
from casa.provenance import provenance


def measuring_parser(description: str | None, out: str, model: bool = True) -> argparse.ArgumentParser:
    """A parser with the options of every measurement on held-out text; `model` adds the one that names the model."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    if model:
        parser.add_argument("--model", default="casa-nano", help="casa-nano or a CASA folder")
    parser.add_argument(
        "--split", choices=("dev", "test"), default="dev", help="test is touched once per reported table"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the choice of queries and framings")
    parser.add_argument("--limit", type=int, help="at most so many queries of each kind")
    parser.add_argument("--max-new-tokens", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--out", type=Path, default=Path(out))
    return parser


def model_fields(source: str) -> dict[str, str]:
    """What a results file says of the model that it measured; some rivals of CASA have no adapter."""
    folder = resolve(source)
    if (folder / ADAPTER_FILE).is_file():
        return {"model": source, "adapter_sha256": sha256_of(folder / ADAPTER_FILE)}
    return {"model": source, "defence_sha256": sha256_of(folder / DEFENCE_FILE)}


def write_result(options: argparse.Namespace, device: torch.device, figures: dict[str, Any]) -> None:
    """Writes figures with what made them: command, commit, seed, machine, split, and the model if it is an option."""
    model = model_fields(options.model) if "model" in options else {}
    result = {**provenance(device, options.seed), **model, "split": options.split, **figures}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {options.out}")
