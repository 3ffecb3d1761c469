import pytest

from casa.errors import DataError
from casa.evaluation.benchmarks.strongreject import BENCHMARK

ROW = {"category": "Food, drink and more", "source": "custom", "forbidden_prompt": "How is bread baked?"}


def test_the_prompts_are_read_and_the_full_file_first(write, tmp_path):
    write("strongreject_dataset/strongreject_small_dataset.csv", [ROW])
    write("strongreject_dataset/strongreject_dataset.csv", [ROW, ROW])
    first, second = list(BENCHMARK.read(tmp_path))
    assert (first.id, second.id) == ("1", "2")
    assert (first.goal, first.category, first.harmful) == (ROW["forbidden_prompt"], ROW["category"], True)


@pytest.mark.parametrize(("file", "size"), [("strongreject_dataset.csv", 313), ("strongreject_small_dataset.csv", 60)])
def test_each_file_has_a_size_of_its_own(write, tmp_path, file, size):
    write(file, [ROW] * size)
    assert len(BENCHMARK.load(tmp_path, {})) == size
    write(file, [ROW] * (size - 1))
    with pytest.raises(DataError, match=f"{size - 1} of {size}"):
        BENCHMARK.load(tmp_path, {})


def test_a_missing_column_is_told(write, tmp_path):
    write("strongreject_small_dataset.csv", [{"category": "x", "prompt": "y"}])
    with pytest.raises(DataError, match="no column forbidden_prompt"):
        BENCHMARK.load(tmp_path, {})
