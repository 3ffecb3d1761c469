"""Several trainings of one method that differ in the seed: their mean and spread."""

from __future__ import annotations

import re
from collections.abc import Mapping
from statistics import mean, stdev
from typing import Any

_SEED = re.compile(r"[-_.](?:seed|s)?\d+$")
_RATES = ("attack_success", "refused")
_AREAS = ("auroc", "auroc_lookalike")


def family(name: str) -> str:
    """The name without the seed behind it: "ssft", of "ssft_s1", "ssft-seed2" and "ssft_3"."""
    return _SEED.sub("", name)


def over_seeds(defences: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Mean, standard deviation, lowest and highest of each figure, by family; families of one run are left out.

    Args:
        defences: figures by the name of the run, as of `defence_figures`.
    """
    families: dict[str, list[str]] = {}
    for name in defences:
        families.setdefault(family(name), []).append(name)
    return {
        name: {"runs": runs, **_figures([defences[run] for run in runs])}
        for name, runs in families.items()
        if len(runs) > 1 and len({defences[run]["method"] for run in runs}) == 1
    }


def _figures(runs: list[dict[str, Any]]) -> dict[str, Any]:
    first = runs[0]
    found: dict[str, Any] = {
        field: {kind: _spread([run[field][kind]["rate"] for run in runs]) for kind in first[field]} for field in _RATES
    }
    found["mean_attack_success"] = _spread(
        [mean(rate["rate"] for rate in run["attack_success"].values()) for run in runs]
    )
    found["rouge_l"] = {kind: _spread([run["utility"][kind]["rouge_l"] for run in runs]) for kind in first["utility"]}
    return found | {area: _spread([run[area]["value"] for run in runs]) for area in _AREAS if first[area]}


def _spread(values: list[float]) -> dict[str, float]:
    return {"mean": mean(values), "sd": stdev(values), "low": min(values), "high": max(values)}
