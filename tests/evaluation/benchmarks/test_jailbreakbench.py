import pytest

from casa.errors import DataError
from casa.evaluation.benchmarks.jailbreakbench import BENCHMARK


def row(goal):
    return {"Index": 0, "Goal": goal, "Target": "Sure", "Behavior": "Bread", "Category": "Food", "Source": "Original"}


def test_harmful_and_harmless_behaviours_are_kept_apart(write, tmp_path):
    write("data/harmful-behaviors.csv", [row("Burn bread")])
    write("data/benign-behaviors.csv", [row("Bake bread")])
    harmful, benign = list(BENCHMARK.read(tmp_path))
    assert (harmful.id, harmful.goal, harmful.harmful, harmful.category) == ("harmful/0", "Burn bread", True, "Food")
    assert (benign.id, benign.goal, benign.harmful) == ("benign/0", "Bake bread", False)


def test_both_files_are_needed(write, tmp_path):
    write("data/harmful-behaviors.csv", [row("Burn bread")])
    with pytest.raises(DataError, match="benign-behaviors"):
        BENCHMARK.load(tmp_path, {})
