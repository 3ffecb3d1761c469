import pytest

from casa.errors import DataError
from casa.evaluation.benchmarks.or_bench import BENCHMARK, HARD, LARGE, TOXIC

ROWS = [{"prompt": "How is bread baked?", "category": "harmful"}]


def test_hard_prompts_are_harmless_and_toxic_ones_are_not(write, tmp_path):
    for name in (HARD, TOXIC, LARGE):
        write(name, ROWS)
    items = list(BENCHMARK.read(tmp_path))
    assert [(item.id, item.harmful) for item in items] == [("or-bench-hard-1k/1", False), ("or-bench-toxic/1", True)]
    assert items[0].category == "harmful"


def test_the_large_file_is_read_if_it_is_the_only_one(write, tmp_path):
    write(LARGE, ROWS)
    (item,) = list(BENCHMARK.read(tmp_path))
    assert (item.id, item.harmful) == ("or-bench-80k/1", False)


def test_the_files_that_are_read_are_counted_together_but_for_the_large_one(write, tmp_path):
    write(LARGE, ROWS)
    assert len(BENCHMARK.load(tmp_path, {})) == 1
    write(TOXIC, ROWS)
    with pytest.raises(DataError, match="1 of 655"):
        BENCHMARK.load(tmp_path, {})
    write(HARD, ROWS)
    with pytest.raises(DataError, match="2 of 1974"):
        BENCHMARK.load(tmp_path, {})
