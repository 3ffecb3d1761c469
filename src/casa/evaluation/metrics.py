"""Rates with their uncertainty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from statistics import NormalDist

import numpy as np


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion; it stays in [0, 1] and is honest for few trials and for 0 of n.

    With z the normal quantile of the confidence and p = successes / n:
    (p + z^2 / 2n  ±  z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n).

    Raises:
        ValueError: there is no trial, more successes than trials, or a confidence outside (0, 1).
    """
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"{successes} of {n} is no proportion")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    p = successes / n
    centre = p + z * z / (2 * n)
    margin = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = (centre - margin) / scale if successes > 0 else 0.0  # exact at the ends, where rounding would leave a rest
    high = (centre + margin) / scale if successes < n else 1.0
    return low, high


@dataclass(frozen=True)
class Rate:
    """A proportion with its 95% interval.

    Attributes:
        successes: how often it happened.
        n: number of trials.
        rate: successes / n.
        low: lower end of Wilson's interval.
        high: its upper end.
    """

    successes: int
    n: int
    rate: float
    low: float
    high: float

    @classmethod
    def of(cls, successes: int, n: int) -> Rate:
        """The rate of `successes` in `n` trials.

        Raises:
            ValueError: there is no trial, or more successes than trials.
        """
        low, high = wilson_interval(successes, n)
        return cls(successes, n, successes / n, low, high)


def resampled(
    statistic: Callable[[np.ndarray], float], groups: Sequence[np.ndarray], resamples: int, seed: int
) -> np.ndarray:
    """Bootstrap: a statistic of item numbers, in `resamples` drawings of groups of them with replacement."""
    rng = np.random.default_rng(seed)
    drawings = (rng.integers(len(groups), size=len(groups)) for _ in range(resamples))
    return np.array([statistic(np.concatenate([groups[i] for i in drawn])) for drawn in drawings])


@dataclass(frozen=True)
class ClusteredMean:
    """A mean of several columns that were measured on the same queries, with its 95 % interval.

    Attributes:
        value: the mean.
        low: lower end of the bootstrap interval.
        high: its upper end.
        n: number of queries.
    """

    value: float
    low: float
    high: float
    n: int


def clustered_mean(columns: Sequence[Sequence[Sequence[float]]], resamples: int = 2000, seed: int = 0) -> ClusteredMean:
    """The mean over columns of each one's mean; for its interval queries are drawn, each with all that was measured on it.

    Args:
        columns: of each column the kinds that it is made of, of each kind a value a query; the first value of every kind is
            the first query's. A kind may have fewer queries than others.
        resamples: of the percentile bootstrap.
        seed: of the drawings.

    Raises:
        ValueError: there is nothing to take a mean of.
    """
    entries = [(c, q, v) for c, kinds in enumerate(columns) for values in kinds for q, v in enumerate(values)]
    if not entries:
        raise ValueError("there is nothing to take a mean of")
    column, query, value = (np.array(part) for part in zip(*entries, strict=True))

    def mean_of(items: np.ndarray) -> float:
        counts = np.bincount(column[items])
        sums = np.bincount(column[items], weights=value[items])
        return float((sums[counts > 0] / counts[counts > 0]).mean())

    groups = [np.flatnonzero(query == number) for number in range(query.max() + 1)]
    low, high = np.percentile(resampled(mean_of, groups, resamples, seed), [2.5, 97.5])
    return ClusteredMean(mean_of(np.arange(len(value))), float(low), float(high), len(groups))


def clustered_rate(columns: Sequence[Sequence[Sequence[bool]]]) -> ClusteredMean:
    """The same of what happened or not. Where it never did, or always, drawings are alike: Wilson's interval for the queries."""
    found = clustered_mean(columns)
    if found.value in (0, 1):
        low, high = wilson_interval(round(found.value * found.n), found.n)
        return replace(found, low=low, high=high)
    return found


@dataclass(frozen=True)
class Estimate:
    """What a statistic is on some items, with its 95 % interval.

    Attributes:
        value: of the statistic, such as an area under a curve.
        low: lower end of the bootstrap interval.
        high: its upper end.
    """

    value: float
    low: float
    high: float


def auroc(malicious: Sequence[float] | np.ndarray, benign: Sequence[float] | np.ndarray) -> float:
    """Area under the ROC curve: the probability that a malicious query scores above a benign one, ties counted half."""
    from sklearn.metrics import roc_auc_score

    labels = np.repeat([1, 0], [len(malicious), len(benign)])
    return float(roc_auc_score(labels, np.concatenate([malicious, benign])))


def auroc_with_interval(
    malicious: Sequence[float], benign: Sequence[float], resamples: int = 1000, seed: int = 0
) -> Estimate:
    """AUROC with a percentile bootstrap interval, both classes resampled."""
    rng = np.random.default_rng(seed)
    positive, negative = np.asarray(malicious), np.asarray(benign)
    drawn = [auroc(rng.choice(positive, len(positive)), rng.choice(negative, len(negative))) for _ in range(resamples)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(auroc(positive, negative), float(low), float(high))


def auprc(malicious: Sequence[float] | np.ndarray, benign: Sequence[float] | np.ndarray) -> float:
    """Area under the precision-recall curve (average precision); it depends on the share of malicious queries."""
    from sklearn.metrics import average_precision_score

    labels = np.repeat([1, 0], [len(malicious), len(benign)])
    return float(average_precision_score(labels, np.concatenate([malicious, benign])))


@dataclass(frozen=True)
class Agreement:
    """How much of the base model's behaviour is left on benign prompts.

    Attributes:
        rouge_l: mean ROUGE-L F1 of the answers with the base model's own as references, in [0, 1].
        exact: how many answers are the base model's word for word.
    """

    rouge_l: float
    exact: Rate


def rouge_l(references: Sequence[str], answers: Sequence[str]) -> list[float]:
    """ROUGE-L F1 of each answer with its reference, in [0, 1]; two empty texts have 0.

    Raises:
        ValueError: there are not as many of both.
    """
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"])
    return [scorer.score(*pair)["rougeL"].fmeasure for pair in zip(references, answers, strict=True)]


def agreement(references: Sequence[str], answers: Sequence[str]) -> Agreement:
    """Agreement of answers with the base model's, prompt by prompt."""
    same = sum(a == b for a, b in zip(references, answers, strict=True))
    return Agreement(float(np.mean(rouge_l(references, answers))), Rate.of(same, len(answers)))
