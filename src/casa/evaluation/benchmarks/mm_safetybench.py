"""MM-SafetyBench (Liu et al. 2023, arXiv 2311.17600): the query's key phrase is in an image, generated, typographic, or both."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from casa.attacks.typography import with_key_phrase_below_a_scene, with_key_phrase_in_a_picture
from casa.errors import DataError
from casa.evaluation.benchmarks.base import Benchmark, Item, Queries, user
from casa.evaluation.benchmarks.derived import BOTH, Attack, asked, attacked

SCENARIOS = 13
TEXT_OF = {"SD": "Rephrased Question(SD)", "SD_TYPO": "Rephrased Question", "TYPO": "Rephrased Question"}
# The official SD pictures are generated; a drawn landscape stands in for one. It shows no harm, so SD alone has no mini form.
MINI_FORMS: dict[str, Attack] = {
    "TYPO": with_key_phrase_in_a_picture,
    "SD_TYPO stand-in": with_key_phrase_below_a_scene,
}
_QUESTIONS = "processed_questions"
_IMAGE_ROOTS = ("data/imgs", "imgs", "MM-SafetyBench(imgs)", "data/MM-SafetyBench(imgs)")


def read(folder: Path) -> Iterator[Item]:
    """Every question in its three forms, from a clone with the images unpacked beside the questions."""
    files = sorted(folder.rglob(f"{_QUESTIONS}/*.json"))
    if len(files) != SCENARIOS:
        raise DataError(f"{folder} holds {len(files)} of {SCENARIOS} scenario files {_QUESTIONS}/*.json")
    images = next((folder / root for root in _IMAGE_ROOTS if (folder / root).is_dir()), None)
    if images is None:
        raise DataError(f"{folder} holds no images; they belong in one of {', '.join(_IMAGE_ROOTS)}")
    for file in files:
        for number, question in _questions(file).items():
            for form, field in TEXT_OF.items():
                if field not in question or "Question" not in question:
                    raise DataError(f"{file.name}, question {number}, has no {field!r}; it has {', '.join(question)}")
                yield Item(
                    id=f"{file.stem}/{number}/{form}",
                    messages=user(images / file.stem / form / f"{number}.jpg", question[field]),
                    goal=question["Question"],
                    harmful=True,
                    category=file.stem,
                    attack=form,
                )


def _questions(file: Path) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{file.name} is no JSON: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(q, dict) for q in found.values()):
        raise DataError(f"{file.name} holds no questions by number")
    return found


def mini(queries: Queries) -> Iterable[Item]:
    """The project's queries, harmless ones too, their key phrase in a picture, alone and below a stand-in for a generated one."""
    return attacked(asked(queries, *BOTH), MINI_FORMS)


BENCHMARK = Benchmark(
    name="mm_safetybench",
    title="MM-SafetyBench",
    measures="attack",
    modality="image",
    size=5040,
    licence="CC-BY-NC-4.0",
    source="github.com/isXinLiu/MM-SafetyBench",
    obtain="Clone the repository and unpack its image archive (linked from its README) into data/imgs. "
    "The mini set has landscapes as stand-ins for the generated pictures of SD_TYPO, and no SD alone.",
    read=read,
    mini=mini,
)
