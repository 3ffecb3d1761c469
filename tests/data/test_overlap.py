from hypothesis import given, settings
from hypothesis import strategies as st

from casa.data.overlap import GRAM, Overlap

SENTENCE = "one two three four five six seven eight nine ten"


def index(*texts):
    overlap = Overlap()
    for text in texts:
        overlap.add(text, text)
    return overlap


def test_case_and_punctuation_do_not_matter():
    assert index("Say, hello!").find("say hello") == ("Say, hello!", "the same text")


def test_eight_words_in_a_row_are_found_and_seven_are_not():
    assert index(SENTENCE).find("before one two three four five six seven eight") == (SENTENCE, "eight words in a row")
    assert index(SENTENCE).find("before one two three four five six seven after") is None


@settings(deadline=None)
@given(length=st.integers(GRAM, 20), before=st.integers(0, 9), after=st.integers(0, 9))
def test_a_text_is_found_whatever_stands_round_it(length, before, after):
    text = " ".join(f"w{i}" for i in range(length))
    assert index(text).find("x " * before + text + " y" * after) is not None


def test_the_first_of_several_is_found():
    overlap = Overlap()
    overlap.add("hello there", "first")
    overlap.add("Hello there.", "second")
    assert overlap.find("hello there") == ("first", "the same text")
