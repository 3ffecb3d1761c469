"""Lists are a title over empty items, and their subjects never cross the split."""

import random

import pytest

from casa.nano.pictures.lists import sample_list
from casa.nano.pictures.styles import sample_style
from casa.nano.pictures.text import render_text

SPLITS = ("train", "dev", "test")


def drawn(split):
    rng = random.Random(0)
    return {sample_list(rng, split) for _ in range(1500)}


def test_the_same_seed_gives_the_same_list():
    assert sample_list(random.Random(3), "train") == sample_list(random.Random(3), "train")


@pytest.mark.parametrize("split", SPLITS)
def test_items_are_numbered_and_empty(split):
    for text, _ in drawn(split):
        title, *items = text.split("\n")
        assert title.split()[0] in {"Steps", "Methods", "Ways", "List"}
        assert title.endswith(".")
        assert items == [f"{i}." for i in range(1, len(items) + 1)] and 3 <= len(items) <= 5


@pytest.mark.parametrize("split", SPLITS)
def test_the_sentence_asks_for_what_the_title_names(split):
    for text, sentence in drawn(split):
        title = text.split("\n")[0].rstrip(".")
        subject = title.split(maxsplit=2)[2]
        assert subject in sentence and sentence[-1] in ".?"
        assert title.split()[0].lower() in sentence


def test_subjects_of_the_splits_are_disjoint():
    subjects = [{text.split("\n")[0].split(maxsplit=3)[-1] for text, _ in drawn(split)} for split in SPLITS]
    assert all(subjects)
    assert not (subjects[0] & subjects[1] or subjects[0] & subjects[2] or subjects[1] & subjects[2])


def test_every_list_can_be_drawn(families):
    style = sample_style(random.Random(0), families, 0)
    for text, _ in drawn("train"):
        words = render_text(text, style, 336, 336).words
        assert [word.text for word in words] == text.split()
