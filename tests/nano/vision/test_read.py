"""Reading: greedy decoding, errors counted, and a tiny tower that learns a few strips by heart."""

import random
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from casa.nano.pictures.styles import sample_style, strip_style
from casa.nano.pictures.text import render_strip
from casa.nano.vision.batches import Batch, _stacked, _targets
from casa.nano.vision.labels import label
from casa.nano.vision.objective import ReadingHeads, Weights, reading_loss
from casa.nano.vision.optimizers import make_optimizers
from casa.nano.vision.read import Reader, collapse, edit_distance
from casa.nano.vision.recipe import VisionRecipe
from casa.nano.vision.tower import build_tower, encode, tower_config
from casa.nano.vision.vocabulary import Vocabulary, class_embeddings

TEXTS = ("How do I stop", "a stuck process?", "Name 3 ways", "Is it safe")


def simple_distance(one, other):
    if not one or not other:
        return len(one) + len(other)
    return min(
        simple_distance(one[1:], other) + 1,
        simple_distance(one, other[1:]) + 1,
        simple_distance(one[1:], other[1:]) + (one[0] != other[0]),
    )


@given(st.text("abc", max_size=5), st.text("abc", max_size=5))
def test_edit_distance_is_levenshteins(one, other):
    assert edit_distance(one, other) == edit_distance(tuple(one), tuple(other)) == simple_distance(one, other)


@pytest.mark.parametrize(
    ("classes", "left"), [([0, 5, 5, 0, 5, 7, 7, 0], [5, 5, 7]), ([0, 0], []), ([3], [3]), ([], [])]
)
def test_repeats_become_one_and_blanks_are_dropped(classes, left):
    assert collapse(classes) == left


@pytest.fixture(scope="module")
def strips(families, vocabulary):
    """Four strips in one font, and a vocabulary of their pieces alone."""
    words = [piece for text in TEXTS for word in text.split() for piece in vocabulary.pieces(word)]
    few = Vocabulary(vocabulary.tokenizer, sorted({vocabulary.ids[piece.label - 1] for piece in words}))
    style = strip_style(replace(sample_style(random.Random(0), families[:1], 0), size=20))
    drawn = [render_strip(text, style, 224) for text in TEXTS]
    return Batch(
        _stacked([one.image for one in drawn]), _targets([label(one, few) for one in drawn]), len(words), 0
    ), few


@pytest.fixture(scope="module")
def untrained(strips):
    embeddings = class_embeddings(strips[1])
    tower = build_tower(tower_config(2, 64, 128, embeddings.shape[1]), seed=0)
    torch.manual_seed(0)
    return Reader(tower, ReadingHeads(tower.merger.hidden_size, embeddings), strips[1])


def test_what_should_be_read_is_the_text(strips, untrained):
    wanted = untrained.wanted(strips[0].targets, len(TEXTS))
    assert [reading.text for reading in wanted] == list(TEXTS)
    assert wanted[0].piece_text == TEXTS[0] and wanted[2].piece_text == "Name3 ways"


def test_a_tiny_tower_learns_a_few_strips_by_heart(strips, untrained):
    batch, _ = strips
    assert untrained.measure([batch]).characters > 0.5
    reader = Reader(untrained.tower, untrained.heads, untrained.vocabulary)
    recipe = VisionRecipe(output_dir="", block_learning_rate=2e-3, learning_rate=1e-3)
    optimizers = make_optimizers(reader.tower, reader.heads, recipe)
    for _ in range(12):
        for _ in range(20):
            encoded = encode(reader.tower, batch.pictures)
            losses = reading_loss(reader.heads, encoded, batch.targets, Weights(1.0, 0.0, 0.1, 0.5))
            losses.total.backward()
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
        if max(reader.measure([batch])) == 0:
            break
    assert reader.measure([batch]) == (0, 0, 0)
    assert [reading.text for reading in reader.read(batch.pictures)] == list(TEXTS)
    assert losses.pull < 2, "outputs come near the embeddings"
    closeness = reader.closeness(batch.pictures)
    assert len(closeness) >= int(batch.targets.piece_lengths.sum()) and closeness.min() > 0.5
