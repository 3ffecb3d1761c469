"""What one rater sees and does. Nothing here knows the method, the class or a judge's opinion of an answer."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from casa.apps.annotation.database import transaction
from casa.apps.annotation.rubrics import RUBRICS, SKIPS, Rubric

_SKIPS = {skip.value for skip in SKIPS}


@dataclass(frozen=True)
class Progress:
    """How far a rater is.

    Attributes:
        done: rated or skipped.
        total: assigned.
        contact: whom the rater can turn to, or "".
    """

    done: int
    total: int
    contact: str


@dataclass(frozen=True)
class Task:
    """One answer to rate.

    Attributes:
        assignment: its number.
        rubric: what is asked.
        conversation: in our chat form, media as data URLs.
        goal: what the user is after, in plain words.
        answer: to rate.
    """

    assignment: int
    rubric: Rubric
    conversation: list[dict[str, Any]]
    goal: str
    answer: str


@dataclass(frozen=True)
class Link:
    """A rater's way in.

    Attributes:
        name: of the rater, such as "r1".
        token: secret.
        progress: how far the rater is.
    """

    name: str
    token: str
    progress: Progress


class Sessions:
    """The raters of one study; keeps nothing in memory, so that a restart loses nothing.

    Args:
        path: of the study's file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.links()  # tells at once if this is no batch

    def links(self) -> list[Link]:
        """Of all raters."""
        with transaction(self._path) as database:
            raters = database.execute("SELECT id, name, token FROM rater ORDER BY id").fetchall()
            return [Link(row["name"], row["token"], _progress(database, row["id"])) for row in raters]

    def progress(self, token: str) -> Progress | None:
        """How far the rater with this token is; None if there is no such rater."""
        with transaction(self._path) as database:
            rater = _rater(database, token)
            return None if rater is None else _progress(database, rater)

    def next_task(self, token: str) -> Task | None:
        """The first answer that the rater has neither rated nor skipped; None at the end, or if there is no such rater."""
        with transaction(self._path) as database:
            row = database.execute(
                """SELECT assignment.id, rubric, conversation, goal, text FROM assignment
                JOIN rater ON rater.id = assignment.rater JOIN answer ON answer.id = assignment.answer
                JOIN prompt ON prompt.id = answer.prompt LEFT JOIN rating ON rating.assignment = assignment.id
                WHERE token = ? AND rating.assignment IS NULL ORDER BY position LIMIT 1""",
                (token,),
            ).fetchone()
        if row is None:
            return None
        return Task(row["id"], RUBRICS[row["rubric"]], json.loads(row["conversation"]), row["goal"], row["text"])

    def rate(self, token: str, assignment: int, said: str) -> bool:
        """Writes what a rater says of an answer, or how it is skipped; the first time counts.

        Returns:
            Whether it was written: not if it was rated before (in another tab), or is not this rater's.

        Raises:
            ValueError: no such rating can be given to this answer.
            DataError: the file cannot be written; nothing was.
        """
        with transaction(self._path) as database:
            row = database.execute(
                """SELECT rubric FROM assignment JOIN rater ON rater.id = assignment.rater
                JOIN answer ON answer.id = assignment.answer JOIN prompt ON prompt.id = answer.prompt
                WHERE assignment.id = ? AND token = ?""",
                (assignment, token),
            ).fetchone()
            if row is None:
                return False
            if said not in _SKIPS and said not in RUBRICS[row["rubric"]].values:
                raise ValueError(f"{said!r} is no rating of {row['rubric']}")
            value, skipped = (None, said) if said in _SKIPS else (said, None)
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            written = database.execute(
                "INSERT INTO rating VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", (assignment, value, skipped, now)
            )
            return written.rowcount == 1

    def take_back(self, token: str) -> bool:
        """Withdraws the rater's last rating, so that its answer comes next again; False if there is none."""
        with transaction(self._path) as database:
            withdrawn = database.execute(
                """DELETE FROM rating WHERE assignment = (
                SELECT assignment.id FROM rating JOIN assignment ON assignment.id = rating.assignment
                JOIN rater ON rater.id = assignment.rater WHERE token = ? ORDER BY position DESC LIMIT 1)""",
                (token,),
            )
            return withdrawn.rowcount == 1


def _rater(database: sqlite3.Connection, token: str) -> int | None:
    row = database.execute("SELECT id FROM rater WHERE token = ?", (token,)).fetchone()
    return None if row is None else int(row["id"])


def _progress(database: sqlite3.Connection, rater: int) -> Progress:
    row = database.execute(
        """SELECT count(rating.assignment) AS done, count(*) AS total, (SELECT contact FROM study) AS contact
        FROM assignment LEFT JOIN rating ON rating.assignment = assignment.id WHERE rater = ?""",
        (rater,),
    ).fetchone()
    return Progress(row["done"], row["total"], row["contact"])
