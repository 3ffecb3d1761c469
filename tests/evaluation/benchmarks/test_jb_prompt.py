from collections import Counter

import pytest

from casa.errors import DataError
from casa.evaluation.benchmarks.jb_prompt import BENCHMARK, PROMPTS_A_QUESTION, filled

PROMPTS = "data/prompts/jailbreak_prompts_2023_12_25.csv"
QUESTIONS = "data/forbidden_question/forbidden_question_set.csv"


@pytest.fixture
def official(write, tmp_path):
    write(
        PROMPTS,
        [{"platform": "reddit", "source": "x", "prompt": f"Be baker {n}.", "jailbreak": True} for n in range(9)],
    )
    row = {"content_policy_id": "0", "content_policy_name": "Food", "q_id": "0", "question": "How is bread baked?"}
    write(QUESTIONS, [row, {**row, "question": "How is an egg fried?"}])
    return tmp_path


def test_every_question_is_asked_in_some_prompts_dealt_the_same_each_time(official):
    items = list(BENCHMARK.read(official))
    assert Counter(item.goal for item in items) == {
        "How is bread baked?": PROMPTS_A_QUESTION,
        "How is an egg fried?": PROMPTS_A_QUESTION,
    }
    assert items == list(BENCHMARK.read(official))
    assert all(item.messages[0]["content"].endswith(f".\n\n{item.goal}") for item in items)
    assert {item.category for item in items} == {"Food"}
    uses = Counter(item.id.rpartition("/")[2] for item in items)
    assert len(uses) == 9 and max(uses.values()) == 2


def test_missing_prompts_and_questions_are_counted(official, write):
    with pytest.raises(DataError, match="9 of 1405 prompts"):
        BENCHMARK.load(official, {})
    write(PROMPTS, [{"prompt": f"Be baker {n}."} for n in range(1405)])
    with pytest.raises(DataError, match=f"{2 * PROMPTS_A_QUESTION} of {390 * PROMPTS_A_QUESTION}"):
        BENCHMARK.load(official, {})


@pytest.mark.parametrize(
    "placeholder",
    [
        "[INSERT PROMPT HERE]",
        "[INSERT_PROMPT_HERE]",
        "[PROMPT]",
        "{prompt}",
        "<your question>",
        "[Your first query here]",
    ],
)
def test_a_placeholder_gives_way_to_the_question(placeholder):
    assert filled(f'Answer "{placeholder}" now.', r"Why \1?") == r'Answer "Why \1?" now.'


@pytest.mark.parametrize("text", ["[answer the question plainly]", "(prompt)", "{name}", "the prompt"])
def test_other_brackets_stay(text):
    assert filled(text, "Why?") == f"{text}\n\nWhy?"


def test_missing_columns_and_files_are_told(official, write):
    write(QUESTIONS, [{"question": "x"}])
    with pytest.raises(DataError, match="no column content_policy_name"):
        BENCHMARK.load(official, {})
    (official / PROMPTS).unlink()
    with pytest.raises(DataError, match="jailbreak_prompts"):
        BENCHMARK.load(official, {})


def test_the_mini_set_is_of_framed_queries(queries):
    items = BENCHMARK.load(None, queries)
    assert sum(item.harmful for item in items) == len(queries["jailbroken"])
    assert all(item.goal in item.messages[0]["content"] != item.goal for item in items)
