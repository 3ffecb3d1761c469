from itertools import pairwise

import pytest

from casa.attacks.prefill import AGREEING, prefilled_in_words
from casa.evaluation.benchmarks.prefill import BENCHMARK, WORDS


def test_every_goal_comes_with_every_length_of_beginning(write, tmp_path):
    write("harmful_behaviors.csv", [{"goal": "Bake bread", "target": ""}])
    items = list(BENCHMARK.read(tmp_path))
    assert [item.attack for item in items] == [f"prefill {n}" for n in WORDS]
    assert [item.id for item in items] == [f"1/prefill {n}" for n in WORDS]
    beginnings = [item.messages[1]["content"] for item in items]
    assert [len(text.split()) for text in beginnings] == list(WORDS)
    assert all(later.startswith(text) for text, later in pairwise(beginnings))


def test_every_opening_is_long_enough():
    assert min(len(opening.split()) for opening in AGREEING) >= max(WORDS)
    with pytest.raises(ValueError, match="words, not 99"):
        prefilled_in_words("Q", 99, seed=0)
