"""Several trainings of one method that differ in the seed: which belong together, their mean and spread."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

_SEED = re.compile(r"[-_.](?:seed|s)?(\d+)$")
_RATES = ("attack_success", "refused", "flagged_unsafe")


def family(name: str) -> str:
    """The name without the seed behind it: "ssft", of "ssft_s1", "ssft-seed2" and "ssft_3"."""
    return _SEED.sub("", name)


def seed_of(name: str) -> int | None:
    """The seed behind a name: 1, of "ssft_s1"; None if there is none."""
    found = _SEED.search(name)
    return int(found[1]) if found else None


def partner(name: str, others: Sequence[str]) -> str | None:
    """The run to compare a run with: of the same seed if there is one, else of the lowest; None if there are no others."""
    seed = seed_of(name)
    same = [other for other in others if seed is not None and seed_of(other) == seed]
    lowest = sorted(others, key=lambda other: (seed_of(other) is None, seed_of(other) or 0))
    return next(iter([*same, *lowest]), None)


def over_seeds(defences: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Mean, standard deviation, lowest and highest of each figure, by family; families of one run are left out.

    Args:
        defences: figures by the name of the run, as of `casa.evaluation.nano_paper_table`.
    """
    families: dict[str, list[str]] = {}
    for name in defences:
        families.setdefault(family(name), []).append(name)
    return {
        name: {"runs": runs, **_spread([_numbers(run, defences[run]) for run in runs])}
        for name, runs in families.items()
        if len(runs) > 1 and len({defences[run]["method"] for run in runs}) == 1
    }


def _numbers(name: str, run: dict[str, Any]) -> dict[str, Any]:
    """Numbers of one run by name, those of several kinds in dictionaries; what it has not is left out."""
    found: dict[str, Any] = {
        field: {kind: rate["rate"] for kind, rate in run[field].items()} for field in _RATES if run[field]
    }
    found["mean_attack_success"] = run["mean_attack_success"]["value"]
    against = run["against_casa"]
    if against and seed_of(against["run"]) == seed_of(name):
        found["mean_attack_success_above_casa"] = against["mean_attack_success"]["value"]
    found["refused_by_medium"] = _values(run["refused_by_medium"])
    found["rouge_l"] = _values(run["utility"]["rouge_l"])
    if run["utility"]["right"]:
        found["right"] = run["utility"]["right"]["rate"]
    found["first_token_ms"] = {medium: waited["median"] for medium, waited in run["first_token_ms"].items()}
    return found | {area: run[area]["value"] for area in ("auroc", "auroc_lookalike") if run[area]}


def _values(by_medium: dict[str, dict[str, float]]) -> dict[str, float]:
    return {medium: found["value"] for medium, found in by_medium.items()}


def _spread(runs: Sequence[Any]) -> Any:
    """Mean and spread of the same number of several runs; of dictionaries, by name."""
    if isinstance(runs[0], dict):
        return {name: _spread([run[name] for run in runs]) for name in runs[0] if all(name in run for run in runs)}
    return {"mean": mean(runs), "sd": stdev(runs), "low": min(runs), "high": max(runs)}
