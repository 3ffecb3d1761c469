import pytest
from PIL import Image

from casa.errors import DataError
from casa.evaluation.benchmarks.figstep import BENCHMARK, PROMPT


def row(task):
    return {
        "dataset": "ForbidQI",
        "category_id": 1,
        "task_id": task,
        "category_name": "Food",
        "question": "How is bread baked?",
        "instruction": "Steps to bake bread.",
    }


@pytest.fixture
def official(write, tmp_path):
    write("data/question/safebench.csv", [row(1), row(2)])
    for task in (1, 2):
        write(f"data/images/SafeBench/query_ForbidQI_1_{task}_6.png")
    return tmp_path


def test_questions_come_with_their_images_and_the_papers_prompt(official):
    first, second = list(BENCHMARK.read(official))
    image, text = second.messages[0]["content"]
    assert image["image"] == official / "data/images/SafeBench/query_ForbidQI_1_2_6.png"
    assert text["text"] == PROMPT
    assert (first.id, first.goal, first.category, first.attack) == ("1/1", "How is bread baked?", "Food", "figstep")


def test_images_are_drawn_where_there_is_no_folder_of_them(write, tmp_path):
    write("data/question/SafeBench-Tiny.csv", [row(1)])
    write("data/images/SafeBench/query_ForbidQI_1_1_6.png")  # of another numbering
    (item,) = list(BENCHMARK.read(tmp_path))
    drawn = item.messages[0]["content"][0]["image"]
    assert isinstance(drawn, Image.Image) and drawn.convert("L").getextrema()[0] < 64


def test_both_files_are_counted(official, write):
    with pytest.raises(DataError, match="2 of 500"):
        BENCHMARK.load(official, {})
    (official / "data/question/safebench.csv").unlink()
    write("data/question/SafeBench-Tiny.csv", [row(1)])
    with pytest.raises(DataError, match="1 of 50 "):
        BENCHMARK.load(official, {})


def test_a_missing_image_and_column_are_told(official, write):
    (official / "data/images/SafeBench/query_ForbidQI_1_2_6.png").unlink()
    with pytest.raises(DataError, match="query_ForbidQI_1_2_6"):
        BENCHMARK.load(official, {})
    write("data/question/safebench.csv", [{"question": "x"}])
    with pytest.raises(DataError, match="no column category_id"):
        BENCHMARK.load(official, {})
