"""What raters said, read from a study's file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from casa.apps.annotation.database import transaction
from casa.apps.annotation.rubrics import RUBRICS, Rubric


@dataclass(frozen=True)
class Rated:
    """One answer and all that is said of it.

    Attributes:
        id: of the answer.
        rubric: the question.
        method: whose answer it is; None for an attention check.
        expected: the right rating of an attention check; None for a method's answer.
        benchmark: of the prompt.
        sample: id of the prompt in it.
        harmful: whether the prompt should be refused.
        modality: of the prompt.
        category: of the prompt.
        attack: of the prompt.
        goal: what is asked for.
        text: the answer.
        ratings: values by rater.
        skipped: why, by rater.
        opinions: of machines, by scorer.
    """

    id: int
    rubric: Rubric
    method: str | None
    expected: str | None
    benchmark: str
    sample: str
    harmful: bool
    modality: str
    category: str
    attack: str
    goal: str
    text: str
    ratings: dict[str, str]
    skipped: dict[str, str]
    opinions: dict[str, str]

    @property
    def consensus(self) -> str | None:
        """What its raters say together; see `Rubric.consensus`."""
        return self.rubric.consensus(list(self.ratings.values()))

    @property
    def prompt(self) -> tuple[str, str]:
        """The same for all answers to one prompt."""
        return self.benchmark, self.sample


@dataclass(frozen=True)
class Worked:
    """What one rater did.

    Attributes:
        name: such as "r1".
        assigned: answers, attention checks among them.
        rated: of them.
        unsure: skipped, for the rater could not tell.
        distressing: skipped as distressing.
        checks: attention checks that were rated.
        passed: of them, rated as they ask.
        median_s: seconds from one rating to the next; None with fewer than two.
    """

    name: str
    assigned: int
    rated: int
    unsure: int
    distressing: int
    checks: int
    passed: int
    median_s: float | None


def read_ratings(path: Path) -> list[Rated]:
    """All answers of a study, attention checks among them, rated or not.

    Raises:
        DataError: the file is no batch.
    """
    with transaction(path) as database:
        answers = database.execute(
            """SELECT answer.id, rubric, method, expected, benchmark, sample, harmful, modality, category, attack, goal, text
            FROM answer JOIN prompt ON prompt.id = answer.prompt ORDER BY answer.id"""
        ).fetchall()
        ratings = database.execute(
            """SELECT answer, name, value, skipped FROM rating JOIN assignment ON assignment.id = rating.assignment
            JOIN rater ON rater.id = assignment.rater ORDER BY rater.id"""
        ).fetchall()
        opinions = database.execute("SELECT answer, scorer, value FROM opinion").fetchall()
    values: dict[int, dict[str, str]] = {row["id"]: {} for row in answers}
    skipped: dict[int, dict[str, str]] = {row["id"]: {} for row in answers}
    machines: dict[int, dict[str, str]] = {row["id"]: {} for row in answers}
    for row in ratings:
        said = skipped if row["value"] is None else values
        said[row["answer"]][row["name"]] = row["skipped"] or row["value"]
    for row in opinions:
        machines[row["answer"]][row["scorer"]] = row["value"]
    return [
        Rated(
            **{**row, "rubric": RUBRICS[row["rubric"]], "harmful": bool(row["harmful"])},
            ratings=values[row["id"]],
            skipped=skipped[row["id"]],
            opinions=machines[row["id"]],
        )
        for row in map(dict, answers)
    ]


def read_work(path: Path) -> list[Worked]:
    """What each rater did.

    Raises:
        DataError: the file is no batch.
    """
    with transaction(path) as database:
        rows = database.execute(
            """SELECT name, value, skipped, expected, rated_at FROM assignment
            JOIN rater ON rater.id = assignment.rater JOIN answer ON answer.id = assignment.answer
            LEFT JOIN rating ON rating.assignment = assignment.id ORDER BY rater.id, rated_at"""
        ).fetchall()
    found = []
    for name in dict.fromkeys(row["name"] for row in rows):
        mine = [row for row in rows if row["name"] == name]
        checks = [row for row in mine if row["expected"] is not None and row["value"] is not None]
        found.append(
            Worked(
                name=name,
                assigned=len(mine),
                rated=sum(row["value"] is not None for row in mine),
                unsure=sum(row["skipped"] == "unsure" for row in mine),
                distressing=sum(row["skipped"] == "distressing" for row in mine),
                checks=len(checks),
                passed=sum(row["value"] == row["expected"] for row in checks),
                median_s=_median_gap(row["rated_at"] for row in mine if row["rated_at"] is not None),
            )
        )
    return found


def _median_gap(times: Iterable[str]) -> float | None:
    from statistics import median

    moments = [datetime.fromisoformat(time) for time in times]
    gaps = [(after - before).total_seconds() for before, after in pairwise(moments)]
    return median(gaps) if gaps else None
