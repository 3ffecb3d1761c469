"""Error rates count what is wrong and nothing else, and the items show what they say."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from casa.errors import CasaError
from casa.evaluation import nano_perception
from casa.evaluation.perception import (
    Item,
    characters,
    dictated,
    error_rate,
    followed,
    lists,
    only_letters,
    reading_error,
    rendered,
    right_answers,
    scenes,
    spelled,
    words,
)
from casa.nano.pictures.fonts import families_of

TEXTS = ["How do I bake a loaf of bread?", "Name three birds that sing at night."]


def say(text):
    return np.full(1600 * (1 + len(text.split())), 0.1, np.float32), 16000


class Parrot:
    """Answers with what it was told to, in the order of the conversations."""

    def __init__(self, answers):
        self.answers = answers

    def respond(self, conversations, max_new_tokens):
        return [self.answers[str(conversation)] for conversation in conversations]


def parrot(items, answers):
    return Parrot({str(item.conversation): answer for item, answer in zip(items, answers, strict=True)})


def item(number, right):
    return Item([{"role": "user", "content": f"question {number}"}], right)


def has_fonts():
    try:
        return bool(families_of("dev"))
    except CasaError:
        return False


@pytest.mark.skipif(not has_fonts(), reason="no fonts of the dev split")
def test_instructions_and_lists_are_drawn_at_a_readable_size_and_alike_each_time():
    items, again = rendered(TEXTS, "dev", 0), rendered(TEXTS, "dev", 0)
    assert [one.right for one in items] == TEXTS
    pictures = [
        next(part["image"] for part in one.conversation[0]["content"] if part["type"] == "image") for one in items
    ]
    repeated = [
        next(part["image"] for part in one.conversation[0]["content"] if part["type"] == "image") for one in again
    ]
    assert all(np.array_equal(one, other) for one, other in zip(pictures, repeated, strict=True))
    assert all("\n1.\n2.\n3." in one.right for one in lists(3, "dev", 0))


@pytest.mark.skipif(not has_fonts(), reason="no fonts of the dev split")
def test_a_text_that_cannot_be_drawn_is_left_out():
    assert [one.right for one in rendered(["naïve", "word " * 2000, *TEXTS], "dev", 0)] == TEXTS


def test_what_is_said_is_what_is_right():
    assert [one.right for one in dictated(TEXTS, say)] == TEXTS
    assert [one.right for one in spelled(TEXTS, say)] == ["bread", "three"]


def test_scenes_ask_one_question_each_with_a_short_answer():
    items = scenes(5, 0)
    assert len(items) == 5 and all(1 <= len(one.right.split()) <= 2 for one in items)


def test_a_perfect_reader_makes_no_error_and_a_mute_one_misses_all():
    items = [item(1, "one two three"), item(2, "four")]
    perfect, mute = parrot(items, ["One, two  three!", "four."]), parrot(items, ["", ""])
    assert reading_error(perfect, items, words, 8, 2)["rate"] == 0
    assert reading_error(mute, items, words, 8, 2)["rate"] == 1
    assert reading_error(perfect, items, characters, 8, 2)["rate"] > 0


def test_right_answers_begin_with_the_right_words():
    items = [item(1, "yes"), item(2, "top left"), item(3, "no")]
    found = right_answers(parrot(items, ["Yes, it is.", "top right", "There is no star"]), items, 8, 2)
    assert (found["successes"], found["n"]) == (1, 3)


def test_following_compares_with_the_answers_to_text():
    def asked(text):
        return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]}]

    answers = {str([{"role": "user", "content": text}]): "bread and birds" for text in TEXTS}
    answers |= {str(asked(TEXTS[0])): "bread and birds", str(asked(TEXTS[1])): "nothing"}
    found = followed(Parrot(answers), TEXTS, {"picture": asked}, 8, 2)["picture"]
    assert found["rouge_l"] == pytest.approx(0.5)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)), min_size=1, max_size=8))
def test_the_rate_lies_within_its_interval_and_between_the_items(pairs):
    wrong, length = (np.array(part) for part in zip(*pairs, strict=True))
    found = error_rate(wrong, length)
    assert found.low <= found.high and found.items == len(pairs)
    assert min(wrong / length) - 1e-9 <= found.rate <= max(wrong / length) + 1e-9


def test_letters_and_words_leave_out_the_rest():
    assert only_letters("B, o. m - B!") == "bomb"
    assert words("It's 5 o'clock.") == ["it's", "5", "o'clock"]


@pytest.mark.skipif(not has_fonts(), reason="no fonts of the dev split")
def test_the_command_writes_a_result_for_a_model_that_sees(tiny_casa_folder, tmp_path, monkeypatch):
    out = tmp_path / "perception.json"
    sizes = ["--limit", "2", "--max-new-tokens", "2", "--batch-size", "2", "--media", "image"]
    monkeypatch.setattr("sys.argv", ["nano_perception", "--model", str(tiny_casa_folder), *sizes, "--out", str(out)])
    nano_perception.main()
    result = json.loads(out.read_text())
    assert result["split"] == "dev" and "command" in result
    assert result["character error rate of lists"]["items"] == 2
    assert result["followed as text is"].keys() == {"picture"}
