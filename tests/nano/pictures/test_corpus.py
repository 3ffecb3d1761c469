"""Texts to read come from training queries alone and never cross the split."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casa.data.reading import read_examples
from casa.nano.pictures.corpus import read_corpus, sample_text
from casa.nano.pictures.fonts import PRINTABLE

some = settings(max_examples=60, deadline=None)
SPLITS = ("train", "dev", "test")


@pytest.mark.parametrize("split", SPLITS)
def test_sentences_are_training_queries(split):
    training = {" ".join(e.text.split()) for e in read_examples(["seed"]) if e.split == "train"}
    corpus = read_corpus(split)
    assert len(corpus.sentences) > 100
    assert set(corpus.sentences) <= training


def test_sentences_of_the_splits_are_disjoint():
    one, two, three = (set(read_corpus(split).sentences) for split in SPLITS)
    assert not (one & two or one & three or two & three)


def test_a_query_and_its_look_alike_are_on_one_side():
    sides = {sentence: split for split in SPLITS for sentence in read_corpus(split).sentences}
    groups = {}
    for example in read_examples(["seed"]):
        if (side := sides.get(" ".join(example.text.split()))) and example.split == "train":
            groups.setdefault(example.group, set()).add(side)
    assert max(map(len, groups.values())) == 1


@some
@given(st.integers(), st.sampled_from(SPLITS), st.integers(1, 60))
def test_a_text_has_the_words_asked_for_in_printable_ascii(seed, split, words):
    text = sample_text(random.Random(seed), read_corpus(split), words)
    assert len(text.split()) == words
    assert set(text) <= set(PRINTABLE + " ")
    assert text == sample_text(random.Random(seed), read_corpus(split), words)


def test_texts_have_running_sentences_numbers_signs_and_capitals():
    rng, corpus = random.Random(0), read_corpus("train")
    texts = [sample_text(rng, corpus, 6) for _ in range(300)]
    running = "\n".join(corpus.sentences)
    assert sum(text in running for text in texts) > 75
    assert any(character in text for text in texts for character in "{~<")
    assert any(text.isupper() for text in texts)
    assert {character for text in texts for character in text} >= set("0123456789$%#:-")


def test_common_words_are_drawn_where_there_are_any_the_commonest_most():
    rng, corpus = random.Random(0), read_corpus("train")
    common = [f"zyxwvu{n}" for n in range(1000)]
    found = [
        int(w.lower()[6:])
        for _ in range(300)
        for w in sample_text(rng, corpus, 8, common).split()
        if "zyxwvu" in w.lower()
    ]
    assert 300 < len(found) < 900
    assert sum(number < 250 for number in found) > 0.4 * len(found) and max(found) > 900
