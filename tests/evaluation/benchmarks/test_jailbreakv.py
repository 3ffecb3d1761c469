import pytest

from casa.errors import DataError
from casa.evaluation.benchmarks.jailbreakv import BENCHMARK

PATHS = {0: ("Template", "llm_transfer_attack/nature_1.jpeg"), 1: ("Figstep", "figstep/figstep_1.png")}


def rows():
    return [
        {
            "id": number,
            "jailbreak_query": "You are a baker. How is bread baked?",
            "redteam_query": "How is bread baked?",
            "format": form,
            "policy": "Food",
            "image_path": path,
            "from": "Handcraft",
            "selected_mini": False,
            "transfer_from_llm": True,
        }
        for number, (form, path) in PATHS.items()
    ]


@pytest.fixture
def official(write, tmp_path):
    write("JailBreakV_28K/JailBreakV_28K.csv", rows())
    write("JailBreakV_28K/mini_JailBreakV_28K.csv", rows()[:1])
    for _, path in PATHS.values():
        write(f"JailBreakV_28K/{path}")
    return tmp_path


def test_the_main_file_is_read_first_and_ids_tell_the_class(official):
    first, second = list(BENCHMARK.read(official))
    assert (first.id, second.id) == ("llm_transfer_attack/0", "figstep/1")
    assert (first.attack, second.attack, first.category) == ("template", "figstep", "Food")
    assert (first.picture, second.picture) == ("nature", "figstep")
    image, text = first.messages[0]["content"]
    assert image["image"] == official / "JailBreakV_28K" / PATHS[0][1]
    assert text["text"].startswith("You are a baker.") and first.goal == "How is bread baked?"


def test_the_mini_file_is_read_if_it_is_alone(official):
    (official / "JailBreakV_28K/JailBreakV_28K.csv").unlink()
    assert [item.id for item in BENCHMARK.read(official)] == ["llm_transfer_attack/0"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("llm_transfer_attack/blank_0.png", "blank"),
        ("llm_transfer_attack/SD_related_566.png", "SD_related"),
        ("query_related/12.png", None),
    ],
)
def test_the_name_of_an_image_tells_its_kind(official, write, path, kind):
    write("JailBreakV_28K/JailBreakV_28K.csv", [{**rows()[0], "image_path": path}])
    (item,) = BENCHMARK.read(official)
    assert item.picture == kind


def test_both_files_are_counted(official):
    with pytest.raises(DataError, match="2 of 28000"):
        BENCHMARK.load(official, {})
    (official / "JailBreakV_28K/JailBreakV_28K.csv").unlink()
    with pytest.raises(DataError, match="1 of 280 "):
        BENCHMARK.load(official, {})


def test_a_missing_image_is_an_error_and_no_text_item(official):
    (official / "JailBreakV_28K" / PATHS[1][1]).unlink()
    with pytest.raises(DataError, match=r"1 media files are missing.*figstep_1"):
        BENCHMARK.load(official, {})


def test_the_mini_set_has_a_picture_in_every_item(queries):
    items = BENCHMARK.load(None, queries)
    assert {item.attack for item in items} == {"template", "figstep", "typo"}
    assert all(item.messages[0]["content"][0]["type"] == "image" for item in items)
