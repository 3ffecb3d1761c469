"""Logs of two methods on harmless synthetic prompts, and studies made of them."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
from inspect_ai.log import EvalSample, write_eval_log
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import Score
from PIL import Image

from casa.apps.annotation.collect import collect
from casa.apps.annotation.database import transaction
from casa.apps.annotation.prepare import Design, write_batch
from casa.apps.annotation.session import Sessions, Task
from casa.evaluation.harness.conversion import to_inspect
from evaluation.report.logs import NANO, PLAIN, log

METHODS = (NANO, PLAIN)
MARKUP = "<b>not bold</b> ${value} {{value}} & **stars**"


def sample(number: int, method: str, harmful: bool, modality: str) -> EvalSample:
    """A made-up prompt with a made-up answer; judges toss a coin."""
    rng = random.Random(f"{number} {method}")
    goal = f"Request number {number}: {MARKUP}"
    parts: list[dict] = [{"type": "text", "text": goal}]
    if modality == "image":
        parts.insert(0, {"type": "image", "image": Image.new("RGB", (120, 80), (number * 9 % 256, 90, 160))})
    if modality == "audio":
        wave = (np.sin(np.arange(8000) / (5 + number)) / 4).astype(np.float32)
        parts.insert(0, {"type": "audio", "audio": wave, "sampling_rate": 16000})
    judged = Score(value=rng.randint(0, 1)) if harmful else Score(value=rng.randint(1, 10))
    return EvalSample(
        id=f"s{number}",
        epoch=1,
        input=to_inspect([{"role": "user", "content": goal if modality == "text" else parts}]),
        target="",
        output=ModelOutput.from_content("m", f"Made-up answer {rng.random()} {MARKUP}"),
        scores={"complied": Score(value=rng.randint(0, 1)), "judged_success" if harmful else "judged_utility": judged},
        metadata={"harmful": harmful, "category": "c", "attack": "none", "goal": goal},
    )


def samples(method: str, count: int = 12) -> list[EvalSample]:
    """Of every class and modality in turn."""
    kinds = ("text", "image", "audio")
    return [sample(number, method, number % 2 == 0, kinds[number % 3]) for number in range(count)]


def write_logs(
    folder: Path, by_method: dict[str, list[EvalSample]], benchmark: str = "mm_safetybench", **changes
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for method, found in by_method.items():
        one = log(method, benchmark, [], samples=found, **changes)
        name = f"{len(list(folder.iterdir()))}_{method.partition('/')[0]}"
        write_eval_log(one, str(folder / f"2026-01-02T03-04-05_{name}.eval"))
    return folder


def logs_of_two_methods(folder: Path, count: int = 12) -> Path:
    return write_logs(folder, {method: samples(method, count) for method in METHODS})


def study(folder: Path, count: int = 12, **design) -> Path:
    """A study's file, made of logs of both methods."""
    write_batch(folder / "study.sqlite", collect([logs_of_two_methods(folder / "logs", count)]), Design(**design))
    return folder / "study.sqlite"


def rate_all(path: Path, careless: tuple[str, ...] = (), seed: int = 0) -> None:
    """Every rater rates everything: mostly as the first judge does, the careless ones at random."""
    sessions = Sessions(path)
    with transaction(path) as database:
        rows = database.execute(
            """SELECT assignment.id, expected, (SELECT value FROM opinion WHERE opinion.answer = answer.id AND scorer != 'complied')
            AS judged FROM assignment JOIN answer ON answer.id = assignment.answer"""
        )
        right = {row["id"]: row["expected"] or row["judged"] for row in rows}
    for link in sessions.links():
        rng = random.Random(f"{seed} {link.name}")
        while task := sessions.next_task(link.token):
            guess = rng.choice(task.rubric.values)
            attentive = link.name not in careless and (rng.random() < 0.9 or is_check(task))
            sessions.rate(link.token, task.assignment, right[task.assignment] if attentive else guess)


def is_check(task: Task) -> bool:
    return task.answer.startswith("This is a check")
