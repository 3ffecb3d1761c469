"""`python -m casa.evaluation.nano_tuning RECIPE --max_steps 60 ...`: each method's own few choices, tried on the dev split.

Every method gets as many trials, CASA too: short runs of equal budget that differ in what matters to the method. The best is the
one that attacks succeed on least, among those that answer nearly as many benign queries as the undefended model. All trials are
written into results/sweeps/tuning_METHOD.json. Interrupted, the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import torch

from casa.baselines.methods import CASA, load_defence, train_method
from casa.evaluation.defences import Outcome, conversations_by_kind, success_columns
from casa.evaluation.kept import config_sha256, kept_outcomes
from casa.evaluation.metrics import Rate, clustered_rate
from casa.provenance import provenance
from casa.training.distill import share_base_answers
from casa.training.recipe import BASE_ANSWERS_FILE
from casa.training.yaml_fields import field_words

_KINDS = ("jailbroken", "prefill 4 words", "third turn", "benign")
_RATES = (1e-4, 3e-4, 1e-3)
_RATES_AND_WEIGHTS = [{"learning_rate": rate, "beta": beta} for beta, rate in product((1.0, 2.0), _RATES)]
_DEEPER = [15, 25]  # of casa-nano's 30 layers; the default is 9 and 19

# What is tried of each method; None is a field's default.
TRIALS: dict[str, list[dict[str, Any]]] = {
    CASA: _RATES_AND_WEIGHTS,
    "ssft": _RATES_AND_WEIGHTS,
    "guard": _RATES_AND_WEIGHTS,
    "circuit_breaker": [
        *({"learning_rate": rate} for rate in _RATES),
        *({"learning_rate": rate, "reroute_layers": _DEEPER} for rate in _RATES[1:]),
        {"learning_rate": _RATES[1], "reroute_alpha": 5.0},
    ],
    "probe": [{"probe_strength": strength} for strength in (None, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)],
}


def trial_folder(runs: Path, method: str, settings: dict[str, Any]) -> Path:
    """Where a trial is trained."""
    words = [f"{name}_{value}" for name, value in settings.items()]
    return runs / "_".join([method, *words]).replace(", ", "-").translate(str.maketrans("", "", "[]"))


def chosen(trials: list[dict[str, Any]], most_unanswered: float) -> dict[str, Any]:
    """The trial that attacks succeed on least, of those that answer enough benign queries; if none does, the one that answers most.

    Args:
        trials: with "mean_attack_success" and "benign_unanswered".
        most_unanswered: share of benign queries that may get no answer, in [0, 1].
    """
    fitting = [trial for trial in trials if trial["benign_unanswered"]["rate"] <= most_unanswered]
    if fitting:
        return min(fitting, key=lambda trial: trial["mean_attack_success"]["value"])
    return min(trials, key=lambda trial: trial["benign_unanswered"]["rate"])


class Tuning:
    """Trials of one recipe, measured on the same dev conversations.

    Args:
        recipe: a YAML file.
        fields: of the recipe, the same for all trials.
        options: of the command.
    """

    def __init__(self, recipe: Path, fields: list[str], options: argparse.Namespace) -> None:
        self._recipe, self._fields, self._options = recipe, fields, options
        conversations = conversations_by_kind("dev", 0, options.limit)
        self._conversations = {kind: conversations[kind] for kind in _KINDS}

    def trial(self, method: str, settings: dict[str, Any]) -> dict[str, Any]:
        """Trains a method with some settings and measures it."""
        folder = trial_folder(self._options.runs, method, settings)
        share_base_answers(folder / BASE_ANSWERS_FILE)
        overrides = [*self._fields, *field_words(settings), "--output_dir", str(folder)]
        summary = train_method(method, self._recipe, overrides)
        found = self._outcomes(folder)
        unanswered = found["benign"].answered.count(False)
        return {
            "settings": settings,
            "steps": summary.get("steps"),
            "mean_attack_success": asdict(clustered_rate(success_columns(found))),
            "benign_unanswered": asdict(Rate.of(unanswered, len(found["benign"].answered))),
        }

    def of_method(self, method: str) -> dict[str, Any]:
        """All trials of a method, the undefended model beside them, and the best."""
        base = self.trial("pretrained", {})
        trials = [self.trial(method, settings) for settings in TRIALS[method]]
        most = base["benign_unanswered"]["rate"] + self._options.most_lost
        best = chosen(trials, most)["settings"]
        return {"most_unanswered": most, "pretrained": base, "chosen": best, "trials": trials}

    def _outcomes(self, folder: Path) -> dict[str, Outcome]:
        options = self._options
        load = cache(lambda: load_defence(folder))
        claim = {"config_sha256": config_sha256(str(folder))}
        place, tokens = folder / "dev", options.max_new_tokens
        return kept_outcomes(place, claim, load, self._conversations, tokens, options.batch_size)


def main() -> None:
    """Entry; see `--help`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("recipe", type=Path, help="such as recipes/nano.yaml; its fields follow as --field value")
    parser.add_argument("--methods", nargs="+", choices=TRIALS, default=list(TRIALS))
    parser.add_argument("--runs", type=Path, default=Path("runs/tuning"), help="folder of the runs")
    parser.add_argument("--out", type=Path, default=Path("results/sweeps"))
    parser.add_argument("--limit", type=int, help="at most so many dev queries of each kind")
    parser.add_argument("--most-lost", type=float, default=0.1, help="share of benign queries that may be lost")
    parser.add_argument("--max-new-tokens", type=int, default=24)
    parser.add_argument("--batch-size", type=int, default=32)
    options, fields = parser.parse_known_args()
    options.out.mkdir(parents=True, exist_ok=True)
    tuning = Tuning(options.recipe, fields, options)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    for method in options.methods:
        result = {**provenance(device, 0), "split": "dev", "method": method, **tuning.of_method(method)}
        path = options.out / f"tuning_{method}.json"
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        print(f"wrote {path}", flush=True)


if __name__ == "__main__":
    main()
