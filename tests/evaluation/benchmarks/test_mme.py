import pytest

from casa.errors import DataError
from casa.evaluation.benchmarks.mme import BENCHMARK, COGNITION, PERCEPTION

ROOT = "MME_Benchmark_release_version/MME_Benchmark"
SPLIT = ("posters", "celebrity", "scene", "landmark", "artwork")
TEXT = "Is this bread? Please answer yes or no.\tYes\nIs this an egg? Please answer yes or no.\tNo\n"


@pytest.fixture
def official(write, tmp_path):
    for task in (*PERCEPTION, *COGNITION):
        images, texts = ("images/", "questions_answers_YN/") if task in SPLIT else ("", "")
        write(f"{ROOT}/{task}/{images}a.1.{'png' if task == 'OCR' else 'jpg'}")
        write(f"{ROOT}/{task}/{texts}a.1.txt", TEXT)
    return tmp_path


def test_both_folder_shapes_are_read_and_ids_tell_the_image(official):
    items = list(BENCHMARK.read(official))
    assert len(items) == 14 * 2
    paired = {item.id: item for item in items if item.id.startswith("posters/a.1/")}
    assert [item.answer for item in paired.values()] == ["yes", "no"]
    first = paired["posters/a.1/1"]
    assert (first.goal, first.category, first.harmful) == (
        "Is this bread? Please answer yes or no.",
        "posters",
        False,
    )
    found = {item.category: item.messages[0]["content"][0]["image"] for item in items}
    assert found["posters"] == official / ROOT / "posters/images/a.1.jpg"
    assert found["OCR"] == official / ROOT / "OCR/a.1.png"


def test_missing_tasks_images_and_odd_lines_are_told(official, write):
    (official / ROOT / "color/a.1.jpg").unlink()
    with pytest.raises(DataError, match=r"1 media files are missing.*color"):
        BENCHMARK.load(official, {})
    write(f"{ROOT}/count/a.1.txt", "Is this bread?\tPerhaps")
    with pytest.raises(DataError, match=r"count/a\.1\.txt.*Perhaps"):
        BENCHMARK.load(official, {})
    (official / ROOT / "existence/a.1.txt").unlink()
    with pytest.raises(DataError, match="existence holds no questions"):
        BENCHMARK.load(official, {})
    (official / ROOT / "OCR").rename(official / ROOT / "other")
    with pytest.raises(DataError, match="no folder of the tasks OCR"):
        BENCHMARK.load(official, {})


def test_a_folder_with_few_questions_is_refused_with_the_numbers(official):
    with pytest.raises(DataError, match="28 of 2374"):
        BENCHMARK.load(official, {})


def test_the_mini_set_asks_two_questions_an_image(queries):
    items = BENCHMARK.load(None, queries)
    for yes, no in zip(items[::2], items[1::2], strict=True):
        assert yes.id.rpartition("/")[0] == no.id.rpartition("/")[0]
        assert (yes.answer, no.answer) == ("yes", "no")
        assert yes.messages[0]["content"][0]["image"] is no.messages[0]["content"][0]["image"]
