import pytest

from casa.errors import DataError
from casa.evaluation.benchmarks.text_utility import BENCHMARK


def test_alpaca_eval_is_read_with_its_answers(write, tmp_path):
    row = {"instruction": "Name a bread.", "output": "Rye.", "generator": "x", "dataset": "koala"}
    write("alpaca_eval.json", [row])
    (item,) = list(BENCHMARK.read(tmp_path))
    assert (item.goal, item.answer, item.category, item.harmful) == ("Name a bread.", "Rye.", "koala", False)


def test_an_alpaca_input_stands_below_its_instruction(write, tmp_path):
    rows = [
        {"instruction": "Name it.", "input": "It is of rye.", "output": "Bread."},
        {"instruction": "Go.", "output": ""},
    ]
    write("alpaca_data.json", rows)
    first, second = list(BENCHMARK.read(tmp_path))
    assert first.messages[0]["content"] == "Name it.\n\nIt is of rye."
    assert (second.goal, second.answer, second.category) == ("Go.", None, "alpaca_data")


@pytest.mark.parametrize(("file", "size"), [("alpaca_eval.json", 805), ("alpaca_data.json", 52002)])
def test_each_file_has_a_size_of_its_own(write, tmp_path, file, size):
    write(file, [{"instruction": "Go.", "output": ""}])
    with pytest.raises(DataError, match=f"1 of {size}"):
        BENCHMARK.load(tmp_path, {})


def test_a_record_without_an_instruction_is_refused(write, tmp_path):
    write("alpaca_eval.json", [{"output": "Rye."}])
    with pytest.raises(DataError, match="record 1, has no instruction"):
        BENCHMARK.load(tmp_path, {})
