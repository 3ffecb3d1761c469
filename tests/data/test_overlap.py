import pytest
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


FRAMED = 'You are a pirate. Answer this: "How far is the moon?" Answer at once, as pirates do.'


@pytest.mark.parametrize(("added", "sought"), [(FRAMED, "How far is the Moon"), ("How far is the moon?", FRAMED)])
def test_a_short_text_is_found_as_a_sentence_of_a_longer_one_whichever_was_first(added, sought):
    assert index(added).find(sought) == (added, "a whole sentence")


@pytest.mark.parametrize(
    "other",
    [
        "How far is the moon from Mars?",
        "Tell me how far is the moon",
        "Go on. Far is the moon. So be it.",
        "The moon. Far!",
    ],
)
def test_a_short_text_within_another_sentence_is_another_question(other):
    assert index("How far is the moon?").find(other) is None
    assert index(other).find("How far is the moon?") is None


def test_sentences_of_three_words_are_nobodys():
    assert index("Yes, thank you.").find("I will. Yes, thank you. Bye.") is None
