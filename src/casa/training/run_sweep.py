"""`python -m casa.training.run_sweep RECIPE --max_steps 60 ...`: whole training runs that differ in one field.

What `casa.training.sweep` cannot show on frozen states: LoRA's rank and rate, the refusals' variety, how many answers are
taught. Every run starts from the same weights and sees as many batches. One file an axis is written into results/sweeps/,
measured on the dev split. Interrupted, the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from casa.data.held_out import CONTRASTS, HARMFUL, HARMLESS
from casa.provenance import provenance
from casa.training.distill import share_base_answers
from casa.training.recipe import BASE_ANSWERS_FILE, read_recipe, run_recipe

# Fields of a recipe, tried one at a time; None is the default of a field that has no number for it.
AXES: dict[str, tuple[Any, ...]] = {
    "gate": ("log", "scale", "none"),
    "lora_r": (4, 16, 64),
    "learning_rate": (1e-4, 3e-4, 1e-3, 3e-3),
    "refusal_variety": (1, 10, None),
    "response_share": (0.1, 0.3, 1.0),
    "max_train_examples": (500, 2000, None),
}


def run_name(recipe: Path, common: list[str], axis: str, value: Any) -> str:
    """Folder of a point's run; all points that change nothing share one."""
    default = next(getattr(part, axis) for part in read_recipe(recipe, common) if hasattr(part, axis))
    return "default" if value == default else f"{axis}_{value}"


def trained_point(recipe: Path, common: list[str], axis: str, value: Any, runs: Path) -> dict[str, Any]:
    """Dev figures of one run, under the names that the sweeps on cached states use."""
    output = runs / run_name(recipe, common, axis, value)
    share_base_answers(output / BASE_ANSWERS_FILE)
    chosen = [] if value is None else [f"--{axis}", str(value)]
    summary = run_recipe(recipe, [*common, *chosen, "--output_dir", str(output)])
    return {"value": value, "steps": summary["steps"], "mean": dev_figures(summary["dev"])}


def dev_figures(metrics: dict[str, float]) -> dict[str, float]:
    """A run's last dev metrics: share called unsafe by kind, AUROC of p_unsafe and v_s by contrast."""
    figures = {f"flagged {kind}": metrics[f"eval_flagged_{kind}"] for kind in (*HARMFUL, *HARMLESS)}
    for harmful, harmless in CONTRASTS:
        for shown, name in (("p_unsafe", "p_unsafe"), ("v_s", "risk")):
            figures[f"auroc {shown} {harmful}/{harmless}"] = metrics[f"eval_auroc_{name}_{harmful}_{harmless}"]
    return figures


def main() -> None:
    """Entry; see `--help`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path, help="such as recipes/nano.yaml; its fields follow as --field value")
    parser.add_argument("--axes", nargs="+", choices=AXES, default=list(AXES))
    parser.add_argument("--runs", type=Path, default=Path("runs/sweep"), help="folder of the runs")
    parser.add_argument("--out", type=Path, default=Path("results/sweeps"))
    options, common = parser.parse_known_args()
    options.out.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    for axis in options.axes:
        points = [trained_point(options.recipe, common, axis, value, options.runs) for value in AXES[axis]]
        result = {**provenance(device, 0), "split": "dev", "axis": axis, "points": points}
        (options.out / f"run_{axis}.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        print(f"wrote {options.out}/run_{axis}.json", flush=True)


if __name__ == "__main__":
    main()
