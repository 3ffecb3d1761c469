import pytest

from casa.errors import DataError
from casa.evaluation.benchmarks.harmbench import BENCHMARK


def text_row(kind, context=""):
    return {
        "Behavior": "Bake bread",
        "FunctionalCategory": kind,
        "SemanticCategory": "illegal",
        "Tags": "context" if context else "",
        "ContextString": context,
        "BehaviorID": f"bread_{kind}",
    }


@pytest.fixture
def official(write, tmp_path):
    rows = [text_row("standard"), text_row("Contextual", "Flour is white."), text_row("copyright")]
    write("data/behavior_datasets/harmbench_behaviors_text_all.csv", rows)
    about_an_image = {
        "Behavior": "Bake what\nthe image shows",
        "BehaviorID": "bread_image",
        "FunctionalCategory": "multimodal",
        "SemanticCategory": "harmful",
        "ImageFileName": "bread.jpg",
        "Source": "",
        "ImageDescription": "",
        "RedactedImageDescription": "",
        "Tags": "",
    }
    write("data/behavior_datasets/harmbench_behaviors_multimodal_all.csv", [about_an_image])
    write("data/multimodal_behavior_images/bread.png")
    return tmp_path


def test_behaviours_come_alone_after_a_context_or_about_an_image_and_copyright_is_left_out(official):
    standard, contextual, multimodal = list(BENCHMARK.read(official))
    assert (standard.id, standard.attack, standard.messages[0]["content"]) == (
        "standard/bread_standard",
        "none",
        "Bake bread",
    )
    assert contextual.attack == "contextual"
    assert contextual.messages[0]["content"] == "Flour is white.\n\n---\n\nBake bread"
    assert contextual.goal == "Bake bread"
    image, text = multimodal.messages[0]["content"]
    assert image["image"] == official / "data/multimodal_behavior_images/bread.png"
    assert text["text"] == multimodal.goal and multimodal.attack == "multimodal"


@pytest.mark.parametrize(("part", "size"), [("all", 410), ("test", 350), ("val", 170)])
def test_behaviours_are_counted_by_the_part_that_is_there(official, part, size):
    file = official / "data/behavior_datasets/harmbench_behaviors_text_all.csv"
    file.rename(file.with_name(f"harmbench_behaviors_text_{part}.csv"))
    with pytest.raises(DataError, match=f"3 of {size}"):
        BENCHMARK.load(official, {})


def test_a_missing_image_and_a_missing_file_are_named(official):
    (official / "data/multimodal_behavior_images/bread.png").unlink()
    with pytest.raises(DataError, match=r"bread\.png"):
        BENCHMARK.load(official, {})
    (official / "data/behavior_datasets/harmbench_behaviors_multimodal_all.csv").unlink()
    with pytest.raises(DataError, match="multimodal_all"):
        BENCHMARK.load(official, {})
