"""Everything that a report counts, counted once, so that its formats cannot disagree."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from casa.evaluation.benchmarks import BENCHMARKS
from casa.evaluation.comparison import Paired
from casa.evaluation.goals import complement, goal_rate, goal_test
from casa.evaluation.metrics import Rate
from casa.evaluation.report.measured import Measured
from casa.evaluation.report.runs import Run
from casa.evaluation.summary import Answered, Row, rows
from casa.model.checkpoint import ADAPTER_FILE

MINI_SETS = "mini sets"
OFFICIAL_SETS = "official sets"
# Of harmless items: in the forms of attacks, which stand beside attack success, and simply asked.
UNDER_ATTACK, OVER_REFUSAL, UTILITY = "forms of attacks", "over-refusal sets", "utility sets"
POOLS = (UNDER_ATTACK, OVER_REFUSAL, UTILITY)
_MINI = " (mini)"
_RANKS = {"undefended": 0, "casa": 1}


@dataclass(frozen=True)
class Compared:
    """A model and the same model undefended, on the items that both were asked and could be scored on.

    Attributes:
        model: the defended one.
        baseline: the undefended one.
        benchmark: label of the benchmark, or a pool.
        harmful: whether these are its harmful items.
        pairs: how many.
        before: attack success on harmful items, or refusals of harmless ones, undefended.
        after: the same, defended.
        paired: the exact test over goals, which is McNemar's where every goal occurs once.
    """

    model: str
    baseline: str
    benchmark: str
    harmful: bool
    pairs: int
    before: Rate
    after: Rate
    paired: Paired

    @property
    def reduction(self) -> float | None:
        """What share of `before` is gone; None if there was nothing to reduce."""
        return 1 - self.after.rate / self.before.rate if self.before.successes else None


@dataclass(frozen=True)
class Evidence:
    """What the logs hold.

    Attributes:
        runs: the newest of each model and benchmark, undefended models first.
        set_aside: older logs of the same.
        outdated: logs of other weights than those that the newest log of the same model is of.
        overall: rates of whole benchmarks.
        pools: rates of the harmless items of several benchmarks together.
        attacks: rates by attack, where a benchmark has several.
        categories: rates by category, where there are several; of harmless items those that are simply asked; attacks on mini sets
            together, which share their queries.
        modalities: rates by modality over mini sets and over official sets, where there are several; without sets of utility.
        pictures: rates by kind of picture, where a benchmark names several.
        compared: with the undefended model.
        measured: results files beside the logs.
        mismeasured: such files of another adapter than the logs are of.
        rebased: models that are not compared, as the undefended model of their name had other weights.
    """

    runs: tuple[Run, ...]
    set_aside: tuple[Run, ...]
    outdated: tuple[Run, ...]
    overall: tuple[Row, ...]
    pools: tuple[Row, ...]
    attacks: tuple[Row, ...]
    categories: tuple[Row, ...]
    modalities: tuple[Row, ...]
    pictures: tuple[Row, ...]
    compared: tuple[Compared, ...]
    measured: tuple[Measured, ...] = ()
    mismeasured: tuple[Measured, ...] = ()
    rebased: tuple[str, ...] = ()

    @property
    def models(self) -> list[str]:
        """Names, undefended ones first."""
        return list(dict.fromkeys(run.model for run in self.runs))

    @property
    def answered(self) -> list[Answered]:
        """The items of all runs."""
        return [one for run in self.runs for one in run.answered]

    def labels(self, measures: str | None = None) -> list[str]:
        """Labels of the benchmarks, of all or of those that measure one thing."""
        return list(dict.fromkeys(run.label for run in self.runs if measures in (None, run.measures)))


def gather(found: Sequence[Run], measured: Sequence[Measured] = ()) -> Evidence:
    """Counts what some runs hold; what was measured beside them, on the same weights, is taken as it is."""
    current, outdated = _of_the_newest_weights(found)
    runs, set_aside = _newest(current)
    adapters = {run.model: run.checksums.get(ADAPTER_FILE) for run in runs}
    others = [one for one in measured if one.adapter and one.adapter != (adapters.get(one.model) or one.adapter)]
    measures = {run.label: run.measures for run in runs}
    bases = {run.model: run.checksums.get("base") for run in runs}
    undefended = {run.model: run.undefended for run in runs}
    rebased = [model for model, plain in undefended.items() if len({bases[model], bases.get(plain)} - {None}) > 1]
    items = [one for run in runs for one in run.answered]
    harmless = [one for one in items if not one.harmful]
    pooled = [
        replace(one, id=" ".join(_identity(one)), benchmark=_pool(one, measures[one.benchmark]))
        for one in distinct(harmless)
    ]
    attacked = distinct(one for one in items if one.harmful and measures[one.benchmark] == "attack")
    asked = (replace(one, attack=one.category) for one in harmless if one.attack == "none")
    media = distinct(one for one in items if measures[one.benchmark] != "utility")
    return Evidence(
        runs=tuple(runs),
        set_aside=tuple(set_aside),
        outdated=tuple(outdated),
        overall=tuple(row for row in rows(items) if row.attack == "all"),
        pools=tuple(row for row in rows(pooled) if row.attack == "all"),
        attacks=_parts(rows(items)),
        categories=_parts(rows([*map(_by_scenario, attacked), *asked])),
        modalities=_parts(rows([_by_modality(one) for one in media])),
        pictures=_parts(rows([replace(one, attack=one.picture) for one in items if one.picture])),
        compared=tuple(
            one for one in (*_compared(items, undefended), *_compared(pooled, undefended)) if one.model not in rebased
        ),
        measured=tuple(one for one in measured if one not in others),
        mismeasured=tuple(others),
        rebased=tuple(rebased),
    )


def refused(row: Row) -> Rate | None:
    """How many of some harmless items were refused."""
    return None if row.complied is None else complement(row.complied)


def _pool(one: Answered, measures: str) -> str:
    """What a harmless item is counted among."""
    if measures == "attack" and one.attack != "none":
        return UNDER_ATTACK
    return UTILITY if measures == "utility" else OVER_REFUSAL


def distinct(found: Iterable[Answered]) -> list[Answered]:
    """Items without those that a mini set shares with another: they are made from the same queries."""
    first: dict[tuple[str, ...], Answered] = {}
    for one in found:
        first.setdefault((one.model, *_identity(one)), one)
    return list(first.values())


def _identity(one: Answered) -> tuple[str, ...]:
    """What tells an item from others; ids of official sets are their own, those of mini sets the queries'."""
    return (one.id, one.attack) if one.benchmark.endswith(_MINI) else (one.id, one.attack, one.benchmark)


def _parts(found: Sequence[Row]) -> tuple[Row, ...]:
    """Rows of parts in the order of their names, whose numbers count as numbers."""
    places = {benchmark: place for place, benchmark in enumerate(dict.fromkeys(row.benchmark for row in found))}

    def place(row: Row) -> tuple[int, list[tuple[int, str]]]:
        words = re.findall(r"\d+|\D+", row.attack)
        return places[row.benchmark], [(int(word), "") if word.isdecimal() else (-1, word) for word in words]

    return tuple(sorted((row for row in found if row.attack != "all"), key=place))


def _of_the_newest_weights(found: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """Runs of the weights that each model's newest log is of, and the rest: a name may stand for other weights later."""
    newest = {run.model: run.checksums for run in sorted(found, key=lambda run: run.created)}
    current = [run for run in found if run.checksums == newest[run.model]]
    return current, [run for run in found if run not in current]


def _newest(found: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """The newest log of each model and benchmark, finished ones before others; and the rest."""
    best: dict[tuple[str, str], Run] = {}
    for run in sorted(found, key=lambda run: (run.status == "success", run.created)):
        best[run.model, run.label] = run
    return sorted(best.values(), key=_place), [run for run in found if run not in best.values()]


def _place(run: Run) -> tuple[int, str, int, str]:
    """Undefended models first, benchmarks in the order in which they are listed everywhere."""
    names = list(BENCHMARKS)
    place = names.index(run.benchmark) if run.benchmark in names else len(names)
    return _RANKS.get(run.model.partition("/")[0], len(_RANKS)), run.model, place, run.label


def _by_scenario(one: Answered) -> Answered:
    """The item with its category in place of its attack."""
    together = MINI_SETS if one.benchmark.endswith(_MINI) else one.benchmark
    return replace(one, attack=one.category, benchmark=together)


def _by_modality(one: Answered) -> Answered:
    """The item with its modality in place of its attack."""
    return replace(one, attack=one.modality, benchmark=MINI_SETS if one.benchmark.endswith(_MINI) else OFFICIAL_SETS)


def _compared(items: Sequence[Answered], undefended: dict[str, str]) -> list[Compared]:
    """Every model whose undefended one was run, on every benchmark."""
    scored: dict[tuple[str, str, bool], dict[str, Answered]] = {}
    for one in items:
        if one.complied is not None:
            scored.setdefault((one.model, one.benchmark, one.harmful), {})[one.id] = one
    return [
        _pair(model, baseline, benchmark, harmful, scored[baseline, benchmark, harmful], after)
        for (model, benchmark, harmful), after in scored.items()
        if (baseline := undefended[model]) != model
        and scored.get((baseline, benchmark, harmful), {}).keys() & after.keys()
    ]


def _pair(
    model: str, baseline: str, benchmark: str, harmful: bool, before: dict[str, Answered], after: dict[str, Answered]
) -> Compared:
    both = [key for key in before if key in after]
    first, second = ([found[key].complied is harmful for key in both] for found in (before, after))
    goals = [after[key].goal for key in both]
    rates = goal_rate(first, goals), goal_rate(second, goals)
    return Compared(model, baseline, benchmark, harmful, len(both), *rates, goal_test(first, second, goals))
