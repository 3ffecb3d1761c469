"""`python -m casa.evaluation.nano_rivals RECIPE --max_steps 400 ...`: trains CASA and its rivals with equal budgets, for the table.

Every run is of the same recipe and fields, but for what was chosen for its method on the dev split by
`casa.evaluation.nano_tuning`. CASA, SSFT, the circuit breaker and the token alone have a run a seed, runs/rivals/METHOD_sSEED; the
others one, runs/rivals/METHOD. Interrupted, the same command goes on where it stopped. `make rivals` tunes first and measures then.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from casa.baselines.methods import CASA, TOKEN_ONLY, train_method
from casa.training.distill import share_base_answers
from casa.training.recipe import BASE_ANSWERS_FILE
from casa.training.yaml_fields import field_words

ONCE = ("pretrained", "safety_prompt", "probe", "guard")
SEEDED = (CASA, "ssft", "circuit_breaker", TOKEN_ONLY)


def runs(methods: Sequence[str], seeds: Sequence[int]) -> Iterator[tuple[str, str, int]]:
    """Name, method and seed of every run: all methods with one seed before any with the next."""
    for seed in seeds:
        for method in methods:
            if method in SEEDED:
                yield f"{method}_s{seed}", method, seed
            elif seed == seeds[0]:
                yield method, method, seed


def tuned(method: str, folder: Path) -> dict[str, Any]:
    """The settings that were chosen for a method; CASA's for the token alone; none where nothing was tried."""
    path = folder / f"tuning_{CASA if method == TOKEN_ONLY else method}.json"
    if not path.is_file():
        return {}
    chosen: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["chosen"]
    return chosen


def train(method: str, seed: int, recipe: Path, fields: Sequence[str], settings: dict[str, Any], folder: Path) -> None:
    """One run, with the base model's answers of the runs beside it.

    Args:
        method: a method's name, or that of CASA without safety attention.
        seed: of everything that is drawn.
        recipe: a YAML file.
        fields: of the recipe, the same for all runs.
        settings: of the method.
        folder: the run's.
    """
    share_base_answers(folder / BASE_ANSWERS_FILE)
    alone = {"gate": "none"} if method == TOKEN_ONLY else {}
    own = field_words({**settings, **alone, "seed": seed, "output_dir": str(folder)})
    train_method(CASA if method == TOKEN_ONLY else method, recipe, [*fields, *own])


def main() -> None:
    """Entry; see `--help`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("recipe", type=Path, help="such as recipes/nano.yaml; its fields follow as --field value")
    parser.add_argument("--methods", nargs="+", choices=(*ONCE, *SEEDED), default=[*ONCE, *SEEDED])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--tuned", type=Path, default=Path("results/sweeps"), help="folder of the tuning's results")
    parser.add_argument("--runs", type=Path, default=Path("runs/rivals"), help="folder of the runs")
    options, fields = parser.parse_known_args()
    for name, method, seed in runs(options.methods, options.seeds):
        settings = tuned(method, options.tuned)
        print(f"{name}: {settings or 'default settings'}", flush=True)
        train(method, seed, options.recipe, fields, settings, options.runs / name)


if __name__ == "__main__":
    main()
