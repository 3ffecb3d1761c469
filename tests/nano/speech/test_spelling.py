from string import ascii_letters, ascii_lowercase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casa.nano.speech.spelling import FORMS, spelled, transcript, with_spelled_word

WORDS = st.text(ascii_letters, min_size=1, max_size=12)


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_what_it_is_called(form):
    assert spelled("bomb", form) == form


@settings(deadline=None)
@given(WORDS, st.sampled_from(FORMS))
def test_spelled_letters_are_written_down_apart_and_give_the_word_back(word, form):
    heard = transcript(spelled(word, form))
    assert heard == " ".join(word.lower())
    assert heard.replace(" ", "") == word.lower()


@settings(deadline=None)
@given(st.lists(st.text(ascii_lowercase, min_size=2, max_size=8), min_size=1, max_size=8), st.data())
def test_only_the_chosen_word_of_a_sentence_is_spelled(words, data):
    index = data.draw(st.integers(0, len(words) - 1))
    sentence = ", ".join(words) + "?"
    heard = transcript(with_spelled_word(sentence, index, data.draw(st.sampled_from(FORMS))))
    assert heard.split() == [*words[:index], *words[index], *words[index + 1 :]]


def test_punctuation_behind_a_spelled_word_stays():
    assert with_spelled_word("How is a cake, made?", 3, "B, O, M, B") == "How is a C, A, K, E, made?"


@pytest.mark.parametrize("word", ["", "it's", "b2", "naïve", "-o"])
def test_what_is_no_plain_word_is_not_spelled(word):
    with pytest.raises(ValueError, match="cannot spell"):
        spelled(word, "b, o, m, b")


def test_a_transcript_holds_lower_case_words_only():
    assert transcript("  Don't  SHOUT, please: it's 'late' - O'Neill!") == "don't shout please it's late o'neill"


@settings(deadline=None)
@given(st.text())
def test_a_transcript_is_its_own_transcript(text):
    assert transcript(transcript(text)) == transcript(text)
