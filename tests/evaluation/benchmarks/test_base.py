"""Every benchmark has a card, a mini set that needs nothing, and errors that say what is missing."""

import pytest

from casa.errors import DataError, MissingDependencyError
from casa.evaluation.benchmarks import BENCHMARKS
from casa.evaluation.benchmarks.base import csv_rows, find_file


def mini(benchmark, queries):
    try:
        return benchmark.load(None, queries)
    except MissingDependencyError as error:
        pytest.skip(str(error))


def plain(content):
    """Content whose pictures and sounds are bytes, for comparison."""
    if isinstance(content, dict):
        return {key: plain(value) for key, value in content.items()}
    if isinstance(content, list):
        return [plain(value) for value in content]
    return content.tobytes() if hasattr(content, "tobytes") else content


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=lambda b: b.name)
def test_a_mini_set_is_made_from_held_out_queries_and_the_same_each_time(benchmark, queries):
    items, again = mini(benchmark, queries), mini(benchmark, queries)
    assert [item.id for item in items] == [item.id for item in again]
    assert plain([item.messages for item in items]) == plain([item.messages for item in again])
    asked = {e.text for found in queries.values() for e in found}
    assert benchmark.name == "mme" or {item.goal for item in items} <= asked  # MME asks about pictures
    assert any(item.harmful for item in items) or benchmark.measures != "attack"
    assert any(not item.harmful for item in items) or benchmark.measures == "attack"


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=lambda b: b.name)
def test_every_attack_of_a_mini_set_comes_on_harmless_queries_too(benchmark, queries):
    items = mini(benchmark, queries)
    harmful, harmless = ({item.attack for item in items if item.harmful is kind} for kind in (True, False))
    assert harmful - {"none"} <= harmless


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=lambda b: b.name)
def test_a_folder_without_the_benchmark_is_refused_with_what_to_do(benchmark, queries, tmp_path):
    (tmp_path / "other.txt").write_text("x")
    with pytest.raises(DataError, match="holds"):
        benchmark.load(tmp_path, queries)
    with pytest.raises(DataError, match="no folder"):
        benchmark.load(tmp_path / "nowhere", queries)


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=lambda b: b.name)
def test_a_card_says_where_it_comes_from_and_how_to_get_it(benchmark):
    assert benchmark.title and benchmark.licence and benchmark.source and benchmark.obtain
    assert benchmark.name == benchmark.name.lower()


def test_a_missing_column_is_named_with_those_that_are_there(write):
    with pytest.raises(DataError, match=r"no column b; it has a"):
        list(csv_rows(write("x.csv", [{"a": 1}]), ("a", "b")))


def test_a_file_is_found_below_and_else_what_is_there_is_listed(write, tmp_path):
    path = write("deep/down/x.csv", [{"a": 1}])
    assert find_file(tmp_path, "y.csv", "x.csv") == path
    with pytest.raises(DataError, match="it holds deep"):
        find_file(tmp_path, "z.csv")


def test_an_incomplete_folder_is_refused_with_the_numbers_and_a_larger_one_is_told(write, tmp_path):
    def load(n):
        write("harmful_behaviors.csv", [{"goal": f"Bake {i} loaves", "target": "Sure"} for i in range(n)])
        return BENCHMARKS["advbench"].load(tmp_path, {})

    with pytest.raises(DataError, match=r"holds 519 of 520 items\. Clone"):
        load(519)
    assert len(load(520)) == 520
    with pytest.warns(UserWarning, match="holds 521 of 520 items"):
        load(521)


def test_goals_under_attacks_are_counted_as_often_as_there_are_attacks(write, tmp_path):
    write("harmful_behaviors.csv", [{"goal": f"Bake {i} loaves", "target": "Sure"} for i in range(2)])
    for name in ("prefill", "token_injection", "dilution", "encodings", "rewrites"):
        found = len(list(BENCHMARKS[name].read(tmp_path)))
        assert BENCHMARKS[name].size == found * 520 / 2
