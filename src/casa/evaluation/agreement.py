"""Agreement among people, and between people and judges, beyond chance, with bootstrap intervals.

An interval is the 95 % percentile bootstrap over clusters: answers to one prompt are drawn together, for they are not independent.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from casa.errors import MissingDependencyError
from casa.evaluation.metrics import resampled

Level = Literal["nominal", "ordinal"]
RESAMPLES = 1000
_FEWEST_CLUSTERS = 2


@dataclass(frozen=True)
class Estimate:
    """A statistic, or why there is none.

    Attributes:
        value: the statistic; None where it is not defined.
        low: lower end of its 95 % interval; None where too few resamples define it.
        high: its upper end.
        n: items that it rests on.
        missing: why there is no value, or "".
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    missing: str = ""

    @classmethod
    def undefined(cls, n: int, why: str) -> Estimate:
        """No value."""
        return cls(None, None, None, n, why)


def krippendorff_alpha(
    ratings: Sequence[Sequence[str]],
    values: Sequence[str],
    level: Level = "nominal",
    clusters: Sequence[Hashable] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Krippendorff's alpha: 1 if raters agree always, 0 if as by chance; each item may have its own number of ratings.

    Items with fewer than two ratings say nothing of agreement and are left out.

    Args:
        ratings: what was said of each item, by whomever.
        values: that can be said, in their order.
        level: "nominal" counts any difference alike, "ordinal" a large one as larger.
        clusters: of each item; each item its own by default.
        resamples: of the bootstrap.
        seed: of its random numbers.

    Raises:
        MissingDependencyError: krippendorff is missing.
    """
    try:
        import krippendorff
    except ImportError as error:
        raise MissingDependencyError("agreement needs krippendorff: pip install 'casa-mllm[eval]'") from error
    groups = range(len(ratings)) if clusters is None else clusters
    rows = [
        ([row.count(value) for value in values], group)
        for row, group in zip(ratings, groups, strict=True)
        if len(row) > 1
    ]
    if len(rows) < _FEWEST_CLUSTERS:
        return Estimate.undefined(len(rows), f"needs two items with two ratings each, there are {len(rows)}")
    counts = np.array([count for count, _ in rows])
    if (counts.sum(axis=0) > 0).sum() < 2:
        return Estimate.undefined(len(rows), "all ratings are the same, which leaves no chance agreement to beat")

    def alpha(drawn: np.ndarray) -> float:
        if (drawn.sum(axis=0) > 0).sum() < 2:
            return math.nan
        return float(
            krippendorff.alpha(value_counts=drawn, value_domain=list(range(len(values))), level_of_measurement=level)
        )

    low, high = _interval(lambda chosen: alpha(counts[chosen]), [group for _, group in rows], resamples, seed)
    return Estimate(alpha(counts), low, high, len(rows))


def cohens_kappa(
    first: Sequence[Hashable],
    second: Sequence[Hashable],
    labels: Sequence[Hashable] | None = None,
    level: Level = "nominal",
) -> float:
    """Agreement of two raters beyond chance, at most 1 (Cohen 1960); NaN where both say the same one thing of all items.

    Args:
        first: what one says of each item.
        second: what the other says.
        labels: that can be said, in their order; those that were, by default.
        level: "ordinal" weighs a difference by its square (Cohen 1968).
    """
    from sklearn.metrics import cohen_kappa_score

    if len({*first, *second}) < 2:
        return math.nan
    weights = "quadratic" if level == "ordinal" else None
    return float(cohen_kappa_score(first, second, labels=labels, weights=weights))


def kappa_with_interval(
    first: Sequence[str],
    second: Sequence[str],
    values: Sequence[str],
    level: Level = "nominal",
    clusters: Sequence[Hashable] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Cohen's kappa of two raters, with quadratic weights where the level is ordinal; arguments as in `krippendorff_alpha`."""
    if len(first) < _FEWEST_CLUSTERS:
        return Estimate.undefined(len(first), f"needs two items that both rated, there are {len(first)}")
    a, b = np.array(first), np.array(second)

    def kappa(chosen: np.ndarray | slice) -> float:
        return cohens_kappa(a[chosen].tolist(), b[chosen].tolist(), values, level)

    value = kappa(slice(None))
    if math.isnan(value):
        return Estimate.undefined(len(a), "both say the same of all items, which leaves no chance agreement to beat")
    low, high = _interval(kappa, range(len(a)) if clusters is None else clusters, resamples, seed)
    return Estimate(value, low, high, len(a))


def mean_with_interval(
    scores: Sequence[float], clusters: Sequence[Hashable] | None = None, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """A mean; arguments as in `krippendorff_alpha`."""
    if not scores:
        return Estimate.undefined(0, "nothing was rated")
    found = np.asarray(scores, dtype=float)
    groups = range(len(found)) if clusters is None else clusters
    low, high = _interval(lambda chosen: float(found[chosen].mean()), groups, resamples, seed)
    return Estimate(float(found.mean()), low, high, len(found))


def _interval(
    statistic: Callable[[np.ndarray], float], clusters: Sequence[Hashable], resamples: int, seed: int
) -> tuple[float | None, float | None]:
    """Percentiles of a statistic of item numbers, clusters resampled; none where most resamples do not define it."""
    members: dict[Hashable, list[int]] = {}
    for number, cluster in enumerate(clusters):
        members.setdefault(cluster, []).append(number)
    groups = [np.array(numbers) for numbers in members.values()]
    if len(groups) < _FEWEST_CLUSTERS:
        return None, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a resample in which all say the same; it gives NaN
        drawn = resampled(statistic, groups, resamples, seed)
    known = drawn[~np.isnan(drawn)]
    if len(known) * 2 < resamples:
        return None, None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)
