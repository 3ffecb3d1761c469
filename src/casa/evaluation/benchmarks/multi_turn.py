"""ActorAttack's SafeMTData (Ren et al. 2024, arXiv 2410.10700): questions that lead to a goal turn by turn.

The attacked model itself answers every question; what counts is its last answer, and its verdict there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from casa.attacks.turns import after_small_talk, crescendo, split_over_turns
from casa.data.held_out import held_out_queries
from casa.errors import DataError
from casa.evaluation.benchmarks.base import Benchmark, Item, Queries, find_file, user
from casa.evaluation.benchmarks.derived import BOTH, SEED, Attack, asked, attacked
from casa.evaluation.benchmarks.json_rows import json_rows

_KEYS = ("category", "plain_query", "multi_turn_queries")


def read(folder: Path) -> Iterator[Item]:
    """The questions of `Attack_600`, each a user message; ids are row numbers."""
    file = find_file(folder, "SafeMTData/Attack_600.json", "SafeMTData/Attack_600.jsonl")
    for number, row in enumerate(json_rows(file, _KEYS), start=1):
        turns = row["multi_turn_queries"]
        if not isinstance(turns, list) or not turns or not all(isinstance(turn, str) for turn in turns):
            raise DataError(f"{file.name}, record {number}: multi_turn_queries is no list of strings")
        messages = [message for turn in turns for message in user(turn)]
        yield Item(str(number), messages, row["plain_query"], True, str(row["category"]), "actor")


def mini(queries: Queries) -> Iterator[Item]:
    """The project's queries, harmless ones too: at the end of a crescendo, after two harmless exchanges, and in two halves."""
    # of another split, so that no query is its own small talk
    exchanges = [(query.text, query.answer) for query in held_out_queries("dev", SEED)["benign"] if query.answer]
    attacks: dict[str, Attack] = {
        "crescendo": partial(crescendo, seed=SEED),
        "third turn": partial(after_small_talk, exchanges=exchanges, seed=SEED),
        "split over turns": split_over_turns,
    }
    return attacked(asked(queries, *BOTH), attacks)


BENCHMARK = Benchmark(
    name="multi_turn",
    title="SafeMTData (Attack_600)",
    measures="attack",
    modality="text",
    size=600,
    licence="MIT",
    source="huggingface.co/datasets/SafeMTData/SafeMTData",
    obtain="Download SafeMTData/Attack_600.json, or use --data hub.",
    read=read,
    mini=mini,
    hub="SafeMTData/SafeMTData",
)
