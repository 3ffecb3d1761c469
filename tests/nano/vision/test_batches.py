"""A step's pictures depend on seed and step alone, and are labelled."""

import random
from dataclasses import replace

import pytest
import torch
from torch.utils.data import DataLoader

from casa.nano.vision.batches import Artist, TrainingBatches, dev_batches
from casa.nano.vision.labels import IGNORED
from casa.nano.vision.recipe import VisionRecipe
from casa.nano.vision.vocabulary import Vocabulary, encode_characters

RECIPE = VisionRecipe(output_dir="", steps=12, strip_steps=3, cells_per_batch=48, dev_strips=16, dev_pages=4)


def tensors(batch):
    return [batch.pictures, *batch.targets]


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(tensors(one), tensors(other), strict=True))


def test_a_step_has_the_same_pictures_whoever_draws_them(artist):
    batches = TrainingBatches(RECIPE, artist)
    loader = DataLoader(batches, batch_size=None, sampler=range(5, 9), num_workers=2)
    assert all(same(drawn, batches[step]) for step, drawn in zip(range(5, 9), loader, strict=True))
    assert not same(batches[2], batches[1]) or len(batches[1].pictures) != len(batches[2].pictures)
    assert not same(batches[0], TrainingBatches(replace(RECIPE, seed=1), artist)[0])


@pytest.mark.parametrize("step", range(12))
def test_pictures_and_targets_fit_each_other_and_the_stage(artist, step):
    pictures, targets, words, left_out = TrainingBatches(RECIPE, artist)[step]
    count, height, width, colours = pictures.shape
    rows, columns = height // 28, width // 28
    assert pictures.dtype == torch.uint8 and colours == 3 and 56 * 56 <= height * width <= 448 * 448
    assert count == max(1, 48 // (rows * columns))
    assert rows <= 2 and columns == 12 if step < 3 else rows <= 12
    assert targets.characters.shape == (count, rows, 4 * columns) and targets.pieces.shape == (count, rows, columns)
    assert targets.character_lengths.shape == targets.piece_lengths.shape == (count * rows,)
    assert words > 0 and left_out >= 0
    filled = targets.pieces.flatten(0, 1)
    sequences = zip(filled, targets.piece_rows, targets.piece_lengths, strict=True)
    assert all((row == IGNORED).all() or row[row > 0].tolist() == one[:n].tolist() for row, one, n in sequences)


def test_scenes_are_among_the_pictures_of_four_rows_and_more_only(artist):
    scenes = replace(artist, scene_share=1.0)
    assert scenes.batch(random.Random(0), 3, 4, 8, 1.0).words == 0
    assert scenes.batch(random.Random(0), 3, 3, 8, 1.0).words > 0


def test_scenes_are_measured_apart_and_leave_the_other_dev_pictures_as_they_are(artist):
    without, having = (dev_batches(replace(RECIPE, scene_share=share), artist) for share in (0.0, 0.1))
    assert set(without) == {"strips", "pages"} and set(having) == {"strips", "pages", "scenes"}
    assert all(same(a, b) for kind in without for a, b in zip(without[kind], having[kind], strict=True))


def test_words_outside_the_vocabulary_are_left_out_and_counted(artist):
    digits = {piece.label for word in "0123456789" for piece in artist.vocabulary.pieces(word)}
    few = Vocabulary(artist.vocabulary.tokenizer, sorted(artist.vocabulary.ids[label - 1] for label in digits))
    batch = TrainingBatches(RECIPE, replace(artist, vocabulary=few))[0]
    assert batch.left_out > batch.words
    drawn = set(batch.targets.character_rows.unique().tolist())
    assert drawn <= {0, *encode_characters("0123456789 ")}


def test_dev_pictures_are_the_same_in_every_run_and_of_the_given_numbers(artist):
    one, two = (dev_batches(replace(RECIPE, seed=seed), artist) for seed in (0, 1))
    assert all(same(a, b) for kind in one for a, b in zip(one[kind], two[kind], strict=True))
    assert sum(len(b.pictures) for b in one["strips"]) == 16 and sum(len(b.pictures) for b in one["pages"]) == 4
    assert all(b.pictures.shape[1:3] == (28, 336) for b in one["strips"])


def test_a_batch_of_blank_pictures_has_sequences_of_length_zero(artist):
    blank = TrainingBatches(RECIPE, Artist(artist.families, "train", Vocabulary(artist.vocabulary.tokenizer, [])))[0]
    assert blank.words == 0 and not blank.targets.character_lengths.any()
    assert blank.targets.character_rows.shape[1] == 1
