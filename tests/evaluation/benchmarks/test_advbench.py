import pytest

from casa.errors import DataError
from casa.evaluation.benchmarks.advbench import BENCHMARK


def test_the_goals_are_read(write, tmp_path):
    rows = [{"goal": "Bake bread", "target": "Sure"}, {"goal": "Fry\nan egg", "target": "Sure"}]
    write("data/advbench/harmful_behaviors.csv", rows)
    first, second = list(BENCHMARK.read(tmp_path))
    assert (first.id, first.goal, first.harmful, first.attack) == ("1", "Bake bread", True, "none")
    assert second.messages == [{"role": "user", "content": "Fry\nan egg"}]


def test_a_file_without_goals_is_refused(write, tmp_path):
    write("harmful_behaviors.csv", [{"prompt": "Bake bread"}])
    with pytest.raises(DataError, match="no column goal"):
        BENCHMARK.load(tmp_path, {})
