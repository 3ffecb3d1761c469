"""`python -m casa.nano.ship_trained --vision FOLDER --audio FOLDER --reading FOLDER`: puts trained parts into the package.

Parts that are not named stay as they are. casa-nano is assembled anew at its next use; its adapter must then be trained again.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from safetensors.torch import load_file, save_file

from casa.errors import DataError
from casa.hashing import sha256_of
from casa.nano.trained import CONFIG_FILE, MANIFEST_FILE, PARTS, TOWER_FILE, parts_of, trained_folder
from casa.nano.vision.read import HEADS_FILE, VOCABULARY_FILE
from casa.training.recipe import SUMMARY_FILE

MOST_BYTES = 70_000_000
FILES = {
    "vision": (
        TOWER_FILE,
        CONFIG_FILE,
        HEADS_FILE,
        VOCABULARY_FILE,
        SUMMARY_FILE,
    ),  # from the heads on, so that training can go on
    "audio": (TOWER_FILE,),
    "reading": ("adapter_model.safetensors", "adapter_config.json"),
}
_PROVENANCE = ("command", "commit", "seed", "environment", "steps", "step", "dev")


def ship_parts(runs: dict[str, Path], target: Path) -> int:
    """Copies each part's files, weights in bfloat16, and writes the manifest; returns the size of all parts in bytes.

    Args:
        runs: folders of finished runs by part (`PARTS`).
        target: the folder of all parts.

    Raises:
        DataError: a run is not finished, or all parts together are larger than 70 MB; nothing was changed.
    """
    parts: dict[str, Any] = parts_of(target)
    for name, run in runs.items():
        if lacking := [file for file in sorted({*FILES[name], SUMMARY_FILE}) if not (run / file).is_file()]:
            raise DataError(f"{run} is no finished run of the {name} part: it lacks {', '.join(lacking)}")
    kept = sum((target / name / file).stat().st_size for name in parts if name not in runs for file in FILES[name])
    if (
        size := kept + sum(_shipped_size(run / file) for name, run in runs.items() for file in FILES[name])
    ) > MOST_BYTES:
        raise DataError(f"{size / 1e6:.0f} MB are too much to ship; {MOST_BYTES / 1e6:.0f} MB is the most")
    for name, run in runs.items():
        (target / name).mkdir(parents=True, exist_ok=True)
        for file in FILES[name]:
            _copy(run / file, target / name / file)
        summary = json.loads((run / SUMMARY_FILE).read_text(encoding="utf-8"))
        parts[name] = {
            "files": {file: sha256_of(target / name / file) for file in FILES[name]},
            "made_by": {key: summary[key] for key in _PROVENANCE if key in summary},
        }
    (target / MANIFEST_FILE).write_text(json.dumps({"parts": parts}, indent=2) + "\n", encoding="utf-8")
    return size


def _shipped_size(path: Path) -> int:
    """Bytes of a file once shipped: two a weight."""
    if path.suffix != ".safetensors":
        return path.stat().st_size
    return sum(2 * tensor.numel() for tensor in load_file(path).values())


def _copy(source: Path, target: Path) -> None:
    if source.suffix != ".safetensors":
        shutil.copy(source, target)
        return
    weights = {name: tensor.to(torch.bfloat16) for name, tensor in load_file(source).items()}
    save_file(weights, target, metadata={"format": "pt"})


def main() -> None:
    """Entry; see `--help`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in PARTS:
        parser.add_argument(f"--{name}", type=Path, metavar="FOLDER", help=f"a finished run of the {name} part")
    options = vars(parser.parse_args())
    runs = {name: folder for name, folder in options.items() if folder is not None}
    if not runs:
        parser.error(f"name at least one of {', '.join(f'--{name}' for name in PARTS)}")
    target = trained_folder()
    size = ship_parts(runs, target)
    Console().print(f"shipped {', '.join(runs)} to {target} ({size / 1e6:.1f} MB in all)")


if __name__ == "__main__":
    main()
