"""Uncertainty where several items are made from one goal, such as a query under seven encodings: goals are drawn, not items."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from casa.evaluation.comparison import Paired
from casa.evaluation.metrics import Estimate, Rate, resampled, wilson_interval

_RESAMPLES = 1000
_ENDS = (2.5, 97.5)  # percentiles


@dataclass(frozen=True)
class GoalRate(Rate):
    """A proportion of items of which some have the same goal: its interval is a bootstrap over goals.

    Attributes:
        goals: number of goals.
    """

    goals: int


def goal_rate(happened: Sequence[bool], goals: Sequence[Hashable]) -> Rate:
    """How often something happened, with Wilson's interval where every goal occurs once, else a `GoalRate`.

    The percentile bootstrap is too narrow for few goals, so it is no narrower than Wilson's interval of the items; where it
    happened never or always, all drawings are alike, and the interval is Wilson's of the goals.

    Raises:
        ValueError: there are no items, or not as many goals.
    """
    groups = _by_goal(goals, len(happened))
    outcomes = np.array(happened, dtype=bool)
    found = Rate.of(int(outcomes.sum()), len(outcomes))
    if len(groups) == found.n:
        return found
    if found.successes in (0, found.n):
        low, high = wilson_interval(len(groups) if found.successes else 0, len(groups))
    else:
        drawn = resampled(lambda items: float(outcomes[items].mean()), groups, _RESAMPLES, seed=0)
        low, high = (float(end) for end in np.percentile(drawn, _ENDS))
    return GoalRate(found.successes, found.n, found.rate, min(low, found.low), max(high, found.high), len(groups))


def complement(rate: Rate) -> Rate:
    """How often it did not happen."""
    rest = rate.n - rate.successes
    return replace(rate, successes=rest, rate=rest / rate.n, low=1 - rate.high, high=1 - rate.low)


def goal_estimate(
    statistic: Callable[[np.ndarray, np.ndarray], float],
    above: Sequence[float],
    above_goals: Sequence[Hashable],
    below: Sequence[float],
    below_goals: Sequence[Hashable],
    resamples: int,
) -> Estimate:
    """A statistic of two classes with a percentile bootstrap interval, the goals of both drawn.

    Args:
        statistic: of the scores of both, such as `casa.evaluation.metrics.auroc`.
        above: scores that should be higher.
        above_goals: of each of them.
        below: scores that should be lower.
        below_goals: likewise.
        resamples: of the bootstrap.
    """
    upper, lower = np.array(above, dtype=float), np.array(below, dtype=float)
    upper_groups, lower_groups = _by_goal(above_goals, len(above)), _by_goal(below_goals, len(below))
    rng = np.random.default_rng(0)

    def drawn(scores: np.ndarray, groups: list[np.ndarray]) -> np.ndarray:
        return scores[np.concatenate([groups[i] for i in rng.integers(len(groups), size=len(groups))])]

    values = [statistic(drawn(upper, upper_groups), drawn(lower, lower_groups)) for _ in range(resamples)]
    low, high = np.percentile(values, _ENDS)
    return Estimate(statistic(upper, lower), float(low), float(high))


def goal_test(first: Sequence[bool], second: Sequence[bool], goals: Sequence[Hashable]) -> Paired:
    """Whether two models differ on the same items, by an exact test over goals.

    If both were alike, each goal's difference in counts could as well have the other sign: p is the chance that signs drawn by a
    fair coin give a sum at least as far from zero. Where every goal occurs once, this is McNemar's exact test.

    Raises:
        ValueError: the models did not answer as many items, or there are not as many goals.
    """
    pairs = list(zip(first, second, strict=True))
    changes = np.array([int(y) - int(x) for x, y in pairs])
    differences = [int(changes[group].sum()) for group in _by_goal(goals, len(pairs))]
    only_first, only_second = int((changes < 0).sum()), int((changes > 0).sum())
    return Paired(only_first, only_second, _chance_of(differences))


def _chance_of(differences: Sequence[int]) -> float:
    """Of a sum at least as far from zero, if every sign is drawn anew."""
    sizes = [abs(difference) for difference in differences if difference]
    reach = sum(sizes)
    chances = np.zeros(2 * reach + 1)  # of the sums -reach to reach
    chances[reach] = 1
    for size in sizes:
        chances = (np.roll(chances, size) + np.roll(chances, -size)) / 2
    far = np.abs(np.arange(-reach, reach + 1)) >= abs(sum(differences))
    return min(1.0, float(chances[far].sum()))


def _by_goal(goals: Sequence[Hashable], n: int) -> list[np.ndarray]:
    """The numbers of the items of each goal.

    Raises:
        ValueError: there are not as many goals as items.
    """
    if len(goals) != n:
        raise ValueError(f"{len(goals)} goals for {n} items")
    groups: dict[Hashable, list[int]] = {}
    for number, goal in enumerate(goals):
        groups.setdefault(goal, []).append(number)
    return [np.array(group) for group in groups.values()]
