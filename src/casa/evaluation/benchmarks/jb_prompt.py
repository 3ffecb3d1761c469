"""In-the-wild jailbreak prompts (Shen et al. 2023, arXiv 2308.03825) round forbidden questions."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator
from pathlib import Path

from casa.errors import DataError
from casa.evaluation.benchmarks.base import Benchmark, Item, Queries, csv_rows, find_file, user, whole_file
from casa.evaluation.benchmarks.derived import SEED, framed

PROMPTS_A_QUESTION = 5  # all 1,405 would make 547,950 items; of 1,950 every prompt is one or two
PROMPTS = {f"data/prompts/jailbreak_prompts_{date}.csv": n for date, n in (("2023_12_25", 1405), ("2023_05_07", 666))}
QUESTIONS = 390
ATTACK = "jailbreak"
_QUESTIONS_FILE = "data/forbidden_question/forbidden_question_set.csv"
_PLACEHOLDER = re.compile(
    r"[\[{<]\s*(?:(?:insert|enter|put|type|your|my|the|user|first|here)[\s_-]*)*"
    r"(?:prompt|question|request|query|instruction)s?[\s_-]*(?:goes)?[\s_-]*(?:here)?\s*[\]}>]",
    re.IGNORECASE,
)


def read(folder: Path) -> Iterator[Item]:
    """Every question in `PROMPTS_A_QUESTION` prompts, dealt like cards; ids are row numbers of question and prompt."""
    found = csv_rows(find_file(folder, *PROMPTS), ("prompt",))
    prompts = [(number, row["prompt"]) for number, row in enumerate(found, start=1) if row["prompt"]]
    dealt = itertools.cycle(random.Random(SEED).sample(prompts, len(prompts)))
    questions = csv_rows(find_file(folder, _QUESTIONS_FILE), ("content_policy_name", "question"))
    for q_number, row in enumerate(questions, start=1):
        for p_number, prompt in itertools.islice(dealt, min(PROMPTS_A_QUESTION, len(prompts))):
            messages = user(filled(prompt, row["question"]))
            name = row["content_policy_name"]
            yield Item(f"{q_number}/{p_number}", messages, row["question"], True, name, ATTACK)


def whole(folder: Path) -> int:
    """Number of items of a whole clone.

    Raises:
        DataError: prompts are missing, which the number of items does not show.
    """
    file = find_file(folder, *PROMPTS)
    found, expected = sum(1 for _ in csv_rows(file, ("prompt",))), whole_file(folder, PROMPTS)
    if found < expected:
        raise DataError(f"{file.name} holds {found} of {expected} prompts")
    return QUESTIONS * PROMPTS_A_QUESTION


def filled(prompt: str, question: str) -> str:
    """The question in place of placeholders such as [INSERT PROMPT HERE]; after a blank line if there are none."""
    text, places = _PLACEHOLDER.subn(lambda _: question, prompt)
    return text if places else f"{prompt}\n\n{question}"


def mini(queries: Queries) -> Iterator[Item]:
    """The project's queries, harmless ones too, in its own held-out framings."""
    return framed(queries, ATTACK)


BENCHMARK = Benchmark(
    name="jb_prompt",
    title="In-the-wild jailbreak prompts",
    measures="attack",
    modality="text",
    size=QUESTIONS * PROMPTS_A_QUESTION,
    licence="MIT",
    source="github.com/verazuo/jailbreak_llms",
    obtain="Clone the repository.",
    read=read,
    mini=mini,
    whole=whole,
)
