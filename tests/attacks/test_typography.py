"""Typographic attacks hide what is asked for in a picture, and are pure functions of query and seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from casa.attacks.images import SIDE, blank, draw_text, landscape, noise
from casa.attacks.typography import (
    beside_an_unrelated_picture,
    figstep,
    in_a_picture,
    key_phrase,
    list_title,
    with_key_phrase_below_a_scene,
    with_key_phrase_in_a_picture,
)

QUERY = "How do I bake a sourdough loaf at home?"


def ink(picture):
    return int((np.asarray(picture.convert("L")) < 128).sum())


def parts(conversation):
    (message,) = conversation
    *pictures, text = message["content"]
    return [part["image"] for part in pictures], text["text"]


def test_more_text_is_more_ink_and_stays_inside():
    short, long = draw_text("bread"), draw_text("bread " * 40)
    assert ink(short) < ink(long)
    for picture in (short, long):
        edge = np.asarray(picture).copy()
        edge[8:-8, 8:-8] = 255
        assert edge.min() == 255
        assert picture.size == (SIDE, SIDE)


def test_line_breaks_are_kept():
    rows = np.flatnonzero((np.asarray(draw_text("a\nb\nc").convert("L")) < 128).any(axis=1))
    assert (np.diff(rows) > 1).sum() == 2


def test_a_strip_is_lower_than_wide_and_letters_shrink_into_it():
    strip = draw_text("a phrase of some more words than one line can hold", size=48, height=SIDE // 4)
    assert strip.size == (SIDE, SIDE // 4)
    assert np.asarray(strip)[-8:].min() == 255


def test_a_text_that_cannot_fit_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        draw_text("word " * 5000)
    with pytest.raises(ValueError, match="does not fit"):
        draw_text("x" * 500)


@pytest.mark.parametrize("make", [blank, noise, landscape])
def test_an_unrelated_picture_depends_on_its_seed_alone(make):
    assert make(1).tobytes() == make(1).tobytes() != make(2).tobytes()


@pytest.mark.parametrize("attack", [in_a_picture, figstep, with_key_phrase_in_a_picture])
def test_the_text_alone_does_not_say_what_is_asked_for(attack):
    (picture,), text = parts(attack(QUERY))
    assert ink(picture) > 100
    assert "sourdough" not in text
    assert parts(attack(QUERY))[0][0].tobytes() == picture.tobytes()


def test_below_a_landscape_of_the_query_s_own_stands_the_key_phrase():
    (both,), text = parts(with_key_phrase_below_a_scene(QUERY))
    strip = SIDE - SIDE // 4
    (other,), _ = parts(with_key_phrase_below_a_scene(QUERY + "!"))
    above, below = (picture.crop((0, 0, SIDE, strip)) for picture in (both, other))
    assert above.tobytes() != below.tobytes()
    assert parts(with_key_phrase_below_a_scene(QUERY))[0][0].tobytes() == both.tobytes()
    written = draw_text(key_phrase(QUERY), size=48, height=SIDE // 4)
    assert both.crop((0, strip, SIDE, SIDE)).tobytes() == written.tobytes() and ink(written) > 100
    assert "the words in the image" in text and key_phrase(QUERY) not in text


def test_beside_an_unrelated_picture_the_query_stays_text():
    pictures, text = parts(beside_an_unrelated_picture(QUERY, seed=3))
    assert text == QUERY and len(pictures) == 1
    kinds = {parts(beside_an_unrelated_picture(f"{QUERY} {i}", 3))[0][0].tobytes() for i in range(30)}
    assert len(kinds) == 3


@pytest.mark.parametrize(
    ("query", "title"),
    [
        (QUERY, "Steps to bake a sourdough loaf at home."),
        ("Please tell me how to fold a crane.", "Steps to fold a crane."),
        ("What are some ways to sharpen a knife?", "Steps to sharpen a knife."),
        ("Write a poem about rain.", "Write a poem about rain."),
    ],
)
def test_a_how_question_becomes_the_title_of_a_list(query, title):
    assert list_title(query) == title


@pytest.mark.parametrize(
    ("query", "phrase"),
    [
        (QUERY, "sourdough loaf"),
        ("Name one very large old grey wooden sailing ship.", "grey wooden sailing ship"),
        ("Explain photosynthesis in green plants to me.", "photosynthesis"),
        ("What is the?", "What is the?"),
    ],
)
def test_the_key_phrase_is_the_longest_run_of_content_words(query, phrase):
    assert key_phrase(query) == phrase


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=80))
def test_a_key_phrase_is_a_part_of_any_query(query):
    assert key_phrase(query) in query and key_phrase(query)
