"""What a study says: agreement among people, people against machines, what people say of each method, and who disagrees on what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from casa.apps.annotation.ratings import Rated, Worked, read_ratings, read_work
from casa.apps.annotation.rubrics import RUBRICS, SAFETY, UTILITY, Rubric
from casa.errors import DataError
from casa.evaluation.agreement import RESAMPLES, Estimate, kappa_with_interval, krippendorff_alpha, mean_with_interval
from casa.evaluation.metrics import Rate


@dataclass(frozen=True)
class Humans:
    """Agreement among people on one question.

    Attributes:
        rubric: name of the question.
        answers: that were to be rated.
        rated_twice: of them, with two ratings or more.
        undecided: of those, without a majority.
        alpha: Krippendorff's, by the question's level.
        nominal: the same with any difference counted alike; equal to `alpha` where the level is nominal.
    """

    rubric: str
    answers: int
    rated_twice: int
    undecided: int
    alpha: Estimate
    nominal: Estimate


@dataclass(frozen=True)
class Machine:
    """One machine's scores against what people say together.

    Attributes:
        rubric: name of the question.
        scorer: the machine.
        same: how often it says the same; None if nothing can be compared.
        kappa: Cohen's, with quadratic weights where the question is ordinal.
    """

    rubric: str
    scorer: str
    same: Rate | None
    kappa: Estimate


@dataclass(frozen=True)
class Method:
    """What people say together of one method's answers.

    Attributes:
        method: its name.
        helped: answers to harmful requests that give help: attack success; None if none was decided.
        utility: mean rating of answers to harmless requests, 1 to 5.
    """

    method: str
    helped: Rate | None
    utility: Estimate


@dataclass(frozen=True)
class Statistics:
    """All of it.

    Attributes:
        humans: agreement among people, by question.
        machines: against people.
        methods: by what people say.
        disputed: answers on which people do not all say the same, the most disputed first.
        work: of every rater.
        left_out: raters whose ratings are not counted.
    """

    humans: tuple[Humans, ...]
    machines: tuple[Machine, ...]
    methods: tuple[Method, ...]
    disputed: tuple[Rated, ...]
    work: tuple[Worked, ...]
    left_out: tuple[str, ...]


def statistics(path: Path, least_passed: float = 0.0, resamples: int = RESAMPLES) -> Statistics:
    """Counts a study.

    Args:
        path: of its file.
        least_passed: raters who pass a smaller share of their attention checks are not counted, in [0, 1].
        resamples: of each bootstrap.

    Raises:
        DataError: the file is no batch, or nothing was rated.
    """
    work = read_work(path)
    if not any(one.rated for one in work):
        raise DataError(f"nothing is rated yet in {path}. casa annotate serve {path} shows raters what to rate.")
    left_out = tuple(one.name for one in work if one.checks and one.passed < least_passed * one.checks)
    answers = [_without(one, left_out) for one in read_ratings(path) if one.method is not None]
    parts = [(rubric, [one for one in answers if one.rubric == rubric]) for rubric in RUBRICS.values()]
    asked = [(rubric, part) for rubric, part in parts if part]
    return Statistics(
        humans=tuple(_humans(rubric, part, resamples) for rubric, part in asked),
        machines=tuple(
            _machine(rubric, part, scorer, resamples)
            for rubric, part in asked
            for scorer in rubric.scorers
            if any(scorer in one.opinions for one in part)
        ),
        methods=tuple(_method(name, answers, resamples) for name in sorted({one.method or "" for one in answers})),
        disputed=tuple(sorted((one for one in answers if _spread(one)), key=lambda one: (-_spread(one), one.id))),
        work=tuple(work),
        left_out=left_out,
    )


def _without(one: Rated, raters: Sequence[str]) -> Rated:
    return replace(one, ratings={name: value for name, value in one.ratings.items() if name not in raters})


def _humans(rubric: Rubric, answers: Sequence[Rated], resamples: int) -> Humans:
    twice = [one for one in answers if len(one.ratings) > 1]
    ratings = [list(one.ratings.values()) for one in answers]
    prompts = [one.prompt for one in answers]
    alpha = krippendorff_alpha(ratings, rubric.values, rubric.level, prompts, resamples)
    nominal = (
        alpha
        if rubric.level == "nominal"
        else krippendorff_alpha(ratings, rubric.values, "nominal", prompts, resamples)
    )
    return Humans(rubric.name, len(answers), len(twice), sum(one.consensus is None for one in twice), alpha, nominal)


def _machine(rubric: Rubric, answers: Sequence[Rated], scorer: str, resamples: int) -> Machine:
    both = [(one.consensus, one.opinions[scorer], one.prompt) for one in answers if scorer in one.opinions]
    decided = [(person, machine, prompt) for person, machine, prompt in both if person is not None]
    people, machines, prompts = zip(*decided, strict=True) if decided else ((), (), ())
    same = Rate.of(sum(a == b for a, b in zip(people, machines, strict=True)), len(people)) if people else None
    return Machine(
        rubric.name,
        scorer,
        same,
        kappa_with_interval(people, machines, rubric.values, rubric.level, prompts, resamples),
    )


def _method(name: str, answers: Sequence[Rated], resamples: int) -> Method:
    decided = [(one, one.consensus) for one in answers if one.method == name and one.consensus is not None]
    safety = [said for one, said in decided if one.rubric == SAFETY]
    utility = [(float(said), one.prompt) for one, said in decided if one.rubric == UTILITY]
    helped = Rate.of(safety.count("yes"), len(safety)) if safety else None
    return Method(
        name, helped, mean_with_interval([score for score, _ in utility], [prompt for _, prompt in utility], resamples)
    )


def _spread(one: Rated) -> float:
    """How far apart its ratings are, in [0, 1]; 0 if all are the same."""
    places = [one.rubric.values.index(value) for value in one.ratings.values()]
    if len(set(places)) < 2:
        return 0.0
    if one.rubric.level == "ordinal":
        return (max(places) - min(places)) / (len(one.rubric.values) - 1)
    return 2 * min(places.count(place) for place in set(places)) / len(places)
