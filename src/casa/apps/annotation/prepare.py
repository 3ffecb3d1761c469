"""Writes a batch: chosen prompts, their answers without a hint of the method, and every rater's list in its own order."""

from __future__ import annotations

import json
import random
import secrets
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from casa.apps.annotation.checks import Check, attention_checks, checks_needed
from casa.apps.annotation.collect import Collected, Prompt
from casa.apps.annotation.conversations import conversation_of
from casa.apps.annotation.database import new_database
from casa.apps.annotation.selection import Cell, assigned_raters, chosen_prompts
from casa.errors import DataError

_FEWEST_EACH = 2  # agreement needs two ratings of an answer
Track = Callable[[list[Prompt]], Iterable[Prompt]]


@dataclass(frozen=True)
class Design:
    """How a study is laid out.

    Attributes:
        prompts: most prompts; each is rated with every method's answer.
        raters: people.
        each: raters of one answer.
        check_share: attention checks for each answer of a rater, in [0, 0.5].
        contact: whom raters can turn to; shown to them.
        seed: of all that is random, except for the raters' secret links.
    """

    prompts: int = 60
    raters: int = 3
    each: int = 3
    check_share: float = 0.1
    contact: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.prompts < 1:
            raise DataError(f"a study needs a prompt, not {self.prompts}")
        if not _FEWEST_EACH <= self.each <= self.raters:
            raise DataError(
                f"each answer must go to at least {_FEWEST_EACH} raters, so that agreement can be computed, and to at most all "
                f"{self.raters}; not {self.each}"
            )
        if not 0 <= self.check_share <= 0.5:
            raise DataError(f"the share of attention checks must be in [0, 0.5], not {self.check_share}")


def write_batch(path: Path, collected: Collected, design: Design, track: Track = iter) -> list[Prompt]:
    """Writes the study's file; the same logs, design and seed give the same one but for the secret links.

    Args:
        path: must not be there yet.
        collected: prompts and answers.
        design: how many, and by whom.
        track: wraps the prompts while they are written, for a progress bar.

    Returns:
        The chosen prompts.

    Raises:
        DataError: the file is there, or a medium cannot be read; then nothing is written.
    """
    rng = random.Random(design.seed)
    prompts = chosen_prompts(collected.prompts, design.prompts, rng)
    rng.shuffle(prompts)  # a row's number must not tell its class
    with new_database(path) as database:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        database.execute(
            "INSERT INTO study VALUES (?, ?, ?, ?)", (now, design.seed, design.contact, json.dumps(collected.logs))
        )
        answers = {}
        for prompt in track(prompts):
            answers.update(_write_prompt(database, prompt, rng))
        spread = assigned_raters(list(answers.values()), design.raters, design.each, rng)
        for rater in range(design.raters):
            mine = [answer for answer, raters in zip(answers, spread, strict=True) if rater in raters]
            checks = attention_checks(rng)[: checks_needed(len(mine), design.check_share)]
            mine += [_write_check(database, check) for check in checks]
            rng.shuffle(mine)
            _write_rater(database, rater + 1, mine)
    return prompts


def _write_prompt(database: sqlite3.Connection, prompt: Prompt, rng: random.Random) -> dict[int, Cell]:
    """Rows of the answers, and what each counts as."""
    facts = (prompt.benchmark, str(prompt.id), prompt.harmful, prompt.modality, prompt.category, prompt.attack)
    row = _insert_prompt(database, prompt.rubric.name, conversation_of(prompt), prompt.goal, facts)
    written = {}
    for answer in rng.sample(prompt.answers, len(prompt.answers)):
        number = _insert(
            database, "INSERT INTO answer (prompt, text, method) VALUES (?, ?, ?)", (row, answer.text, answer.method)
        )
        opinions = [(number, scorer, value) for scorer, value in answer.opinions.items()]
        database.executemany("INSERT INTO opinion VALUES (?, ?, ?)", opinions)
        written[number] = Cell(answer.method, prompt.harmful, prompt.modality)
    return written


def _write_check(database: sqlite3.Connection, check: Check) -> int:
    conversation = [{"role": "user", "content": check.request}]
    facts = ("attention check", "", False, "text", "", "none")
    row = _insert_prompt(database, check.rubric, conversation, check.request, facts)
    return _insert(
        database, "INSERT INTO answer (prompt, text, expected) VALUES (?, ?, ?)", (row, check.answer, check.expected)
    )


def _write_rater(database: sqlite3.Connection, number: int, answers: list[int]) -> None:
    rater = _insert(
        database, "INSERT INTO rater (name, token) VALUES (?, ?)", (f"r{number}", secrets.token_urlsafe(16))
    )
    rows = [(rater, answer, position) for position, answer in enumerate(answers)]
    database.executemany("INSERT INTO assignment (rater, answer, position) VALUES (?, ?, ?)", rows)


def _insert_prompt(
    database: sqlite3.Connection, rubric: str, conversation: list[dict[str, Any]], goal: str, facts: tuple[Any, ...]
) -> int:
    columns = "rubric, conversation, goal, benchmark, sample, harmful, modality, category, attack"
    statement = f"INSERT INTO prompt ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    return _insert(database, statement, (rubric, json.dumps(conversation), goal, *facts))


def _insert(database: sqlite3.Connection, statement: str, values: tuple[Any, ...]) -> int:
    number = database.execute(statement, values).lastrowid
    assert number is not None, "an INSERT gives a row its number"
    return number
