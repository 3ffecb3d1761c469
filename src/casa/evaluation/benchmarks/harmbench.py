"""HarmBench (Mazeika et al. 2024, arXiv 2402.04249): harmful behaviours, alone, after a context, or about an image.

Behaviours on copyright are left out: they ask for texts word by word, which is judged by hashes and is no question of safety.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from casa.attacks.typography import with_key_phrase_in_a_picture
from casa.evaluation.benchmarks.base import Benchmark, Item, Queries, csv_rows, find_file, user, whole_file
from casa.evaluation.benchmarks.derived import BOTH, asked, attacked

_FOLDER = "data/behavior_datasets"
_PARTS = {"all": 300, "test": 240, "val": 60}  # behaviours without those on copyright
TEXT = {f"{_FOLDER}/harmbench_behaviors_text_{part}.csv": size for part, size in _PARTS.items()}
WITH_IMAGES = 110
_MULTIMODAL = f"{_FOLDER}/harmbench_behaviors_multimodal_all.csv"
_IMAGES = "multimodal_behavior_images"
_COLUMNS = ("Behavior", "BehaviorID", "SemanticCategory")


def read(folder: Path) -> Iterator[Item]:
    """The behaviours of a clone: all text ones (else the test or validation part), then those about images."""
    yield from _texts(find_file(folder, *TEXT))
    yield from _with_images(find_file(folder, _MULTIMODAL))


def whole(folder: Path) -> int:
    """Number of behaviours in a whole clone, or in one with a part of the text ones."""
    return whole_file(folder, TEXT) + WITH_IMAGES


def _texts(file: Path) -> Iterator[Item]:
    for row in csv_rows(file, (*_COLUMNS, "FunctionalCategory", "ContextString")):
        kind = row["FunctionalCategory"].casefold()
        if kind == "copyright":
            continue
        goal, context = row["Behavior"], row["ContextString"]
        messages = user(f"{context}\n\n---\n\n{goal}" if context else goal)
        attack = "contextual" if context else "none"
        yield Item(f"{kind}/{row['BehaviorID']}", messages, goal, True, row["SemanticCategory"], attack)


def _with_images(file: Path) -> Iterator[Item]:
    for row in csv_rows(file, (*_COLUMNS, "ImageFileName")):
        # the column's suffixes are not those of the files, which are all .png
        image = file.parent.parent / _IMAGES / f"{Path(row['ImageFileName']).stem}.png"
        goal, attack = row["Behavior"], "multimodal"
        yield Item(f"{attack}/{row['BehaviorID']}", user(image, goal), goal, True, row["SemanticCategory"], attack)


def mini(queries: Queries) -> Iterator[Item]:
    """The project's malicious queries, alone and with their key phrase in a picture, harmless ones in a picture too."""
    yield from asked(queries, "malicious")
    yield from attacked(asked(queries, *BOTH), {"multimodal": with_key_phrase_in_a_picture})


BENCHMARK = Benchmark(
    name="harmbench",
    title="HarmBench (without copyright)",
    measures="attack",
    modality="text, image",
    size=_PARTS["all"] + WITH_IMAGES,
    licence="MIT",
    source="github.com/centerforaisafety/HarmBench",
    obtain="Clone the repository; it holds the images.",
    read=read,
    mini=mini,
    whole=whole,
)
