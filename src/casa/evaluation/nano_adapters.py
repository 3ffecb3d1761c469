"""`python -m casa.evaluation.nano_adapters`: how each shipped adapter of casa-nano did, from the repository's own history.

Every commit that changed results/nano_text.json holds an adapter's figures on the test split beside the run that made it. Together
they are the learning curve over data and steps; it goes to results/nano_adapters.json.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import torch

from casa.data.held_out import HARMFUL
from casa.provenance import provenance

MEASURED, TRAINED, TRIALS = "results/nano_text.json", "results/nano_training.json", "results/trials"


def measured_adapters(repository: Path) -> list[dict[str, Any]]:
    """One entry an adapter, oldest first: its training and its figures, the newest measurement of each."""
    commits = _git(repository, "log", "--reverse", "--format=%H", "--", MEASURED).split()
    entries: dict[str, dict[str, Any]] = {}
    for commit in commits:
        measured = json.loads(_git(repository, "show", f"{commit}:{MEASURED}"))
        trained = json.loads(_git(repository, "show", f"{commit}:{TRAINED}"))
        adapter = measured["adapter_sha256"]
        entries[adapter] = {"adapter_sha256": adapter, "commit": commit, **_figures(measured), **_training(trained)}
    found = list(entries.values())
    trials = _trials(repository)
    shipped = 0
    for entry in found:
        entry["total_steps"] = shipped = entry["steps"] + _steps_before(entry.pop("command"), trials, shipped)
    return found


def _trials(repository: Path) -> dict[str, dict[str, Any]]:
    """Runs that were not shipped, by the folder that they wrote."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in (repository / TRIALS).glob("*.json")]
    return {_option(run["command"], "output_dir"): run for run in runs if "steps" in run}


def _steps_before(command: str, trials: dict[str, dict[str, Any]], shipped: int) -> int:
    """Steps of the runs that a run went on from; `shipped` are those behind the adapter that was shipped before it."""
    start = _option(command, "init_from")
    if start == "casa-nano":
        return shipped
    if start in trials:
        return int(trials[start]["steps"]) + _steps_before(trials[start]["command"], trials, shipped)
    return 0


def _option(command: str, name: str) -> str:
    """An option's value in a command line; empty if it is not there."""
    words = shlex.split(command)
    return words[words.index(f"--{name}") + 1] if f"--{name}" in words else ""


def _training(trained: dict[str, Any]) -> dict[str, Any]:
    """Size of the run, and its command."""
    return {
        "examples": sum(trained["examples"].values()),
        "steps": trained["steps"],
        "command": trained["command"],
    }


def _figures(measured: dict[str, Any]) -> dict[str, Any]:
    """What is compared between adapters."""
    areas = {
        contrast: {name: area["value"] for name, area in found.items()} for contrast, found in measured["auroc"].items()
    }
    success = {kind: measured["attack_success"][kind]["after"] for kind in HARMFUL}
    return {"attack_success": success, "flagged_unsafe": measured["flagged_unsafe"], "auroc": areas}


def _git(repository: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(repository), *arguments], capture_output=True, text=True, check=True).stdout


def main() -> None:
    """Entry; run it in the repository's root."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/nano_adapters.json"))
    options = parser.parse_args()
    result = {**provenance(torch.device("cpu"), 0), "split": "test", "adapters": measured_adapters(Path())}
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
