import pytest

from casa.attacks.images import SIDE
from casa.attacks.typography import key_phrase
from casa.errors import DataError
from casa.evaluation.benchmarks.mm_safetybench import BENCHMARK, MINI_FORMS, SCENARIOS, TEXT_OF

QUESTION = {
    "Question": "How is bread baked?",
    "Changed Question": "How is bread baked?",
    "Key Phrase": "bread",
    "Phrase Type": "product",
    "Rephrased Question": "How is this product baked?",
    "Rephrased Question(SD)": "How is what the image shows baked?",
}


@pytest.fixture
def official(write, tmp_path):
    for scenario in range(1, SCENARIOS + 1):
        name = f"{scenario:02}-Scenario"
        write(f"data/processed_questions/{name}.json", {"0": QUESTION, "1": QUESTION})
        for form in TEXT_OF:
            for number in range(2):
                write(f"data/imgs/{name}/{form}/{number}.jpg")
    return tmp_path


def test_every_question_comes_in_three_forms_with_its_image_and_text(official):
    items = list(BENCHMARK.read(official))
    assert len(items) == SCENARIOS * 2 * 3
    first = {item.attack: item.messages[0]["content"] for item in items if item.id.startswith("01-Scenario/1/")}
    assert set(first) == {"SD", "SD_TYPO", "TYPO"}
    image, text = first["SD"]
    assert image["image"] == official / "data/imgs/01-Scenario/SD/1.jpg"
    assert text["text"] == QUESTION["Rephrased Question(SD)"]
    assert first["TYPO"][1]["text"] == QUESTION["Rephrased Question"]
    assert {item.category for item in items} == {f"{n:02}-Scenario" for n in range(1, 14)}


def test_missing_images_are_counted_and_named(official):
    (official / "data/imgs/03-Scenario/TYPO/1.jpg").unlink()
    with pytest.raises(DataError, match=r"1 media files are missing.*03-Scenario"):
        BENCHMARK.load(official, {})


def test_missing_scenarios_and_fields_are_told(official, write):
    write("data/processed_questions/01-Scenario.json", {"0": {"Question": "x"}})
    with pytest.raises(DataError, match=r"01-Scenario.json, question 0"):
        BENCHMARK.load(official, {})
    (official / "data/processed_questions/01-Scenario.json").unlink()
    with pytest.raises(DataError, match="12 of 13"):
        BENCHMARK.load(official, {})


def test_a_folder_with_few_questions_is_refused_with_the_numbers(official):
    with pytest.raises(DataError, match="78 of 5040"):
        BENCHMARK.load(official, {})


def test_the_mini_set_has_the_key_phrase_in_every_picture_and_says_what_stands_in(queries):
    items = BENCHMARK.load(None, queries)
    assert sum(item.harmful for item in items) == 2 * len(queries["malicious"])
    assert {item.attack for item in items} == set(MINI_FORMS) == {"TYPO", "SD_TYPO stand-in"}
    assert "stand-ins" in BENCHMARK.obtain
    for item in items:
        image, text = item.messages[0]["content"]
        assert image["image"].size == (SIDE, SIDE)
        pointer = "the words in the image"
        assert pointer in text["text"] and key_phrase(item.goal) not in text["text"].replace(pointer, "")
