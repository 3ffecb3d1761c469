"""An instruction that is laid out stands where the towers' output would stand, with the model's own positions."""

import random

import numpy as np
import pytest
import torch
from PIL import Image

from casa.nano.align.examples import Layouter
from casa.nano.align.layouts import BLANK
from casa.nano.pictures.questions import Question
from casa.nano.pictures.scenes import sample_scene

TEXT = "Name three things that are baked with flour."


@pytest.fixture
def layouter(processor, tiny_base):
    return Layouter(processor, tiny_base, answer_tokens=12)


@pytest.mark.parametrize("form", ["picture", "sound"])
@pytest.mark.parametrize("repeat", [True, False])
def test_placeholders_hold_the_layout_and_the_answer_ends_the_ids(layouter, processor, form, repeat):
    found = layouter.laid(TEXT, [5, 6, 7], form, repeat, random.Random(0))
    token = processor.image_token if form == "picture" else processor.audio_token
    assert int((found.ids == processor.tokenizer.convert_tokens_to_ids(token)).sum()) == len(found.layout)
    pieces = found.layout[found.layout != BLANK].unique_consecutive()
    read = TEXT if form == "picture" else TEXT.lower().rstrip(".")
    assert processor.tokenizer.decode(pieces).strip() == read
    answer = found.ids[-found.answer :]
    if repeat:
        assert read.startswith(processor.tokenizer.decode(answer, skip_special_tokens=True)[:20])
    else:
        assert answer.tolist() == [5, 6, 7]
    assert found.positions.shape == (3, len(found.ids))


def test_text_stays_text(layouter, processor):
    found = layouter.laid(TEXT, list(range(40)), "text", True, random.Random(0))
    assert TEXT in processor.tokenizer.decode(found.ids)
    assert found.answer == 12 and len(found.layout) == 0
    assert torch.equal(found.positions, torch.arange(len(found.ids)).expand(3, -1))


def test_a_clips_positions_are_those_of_a_real_one(layouter, processor, tiny_base):
    """The same prompt through the processor: as many placeholders, the same positions."""
    sound = layouter.laid(TEXT, [], "sound", False, random.Random(1))
    wave = np.zeros(len(sound.layout) * 640, np.float32)
    rendered = processor.tokenizer.decode(sound.ids).replace("<|AUDIO|>" * len(sound.layout), "<|AUDIO|>")
    real = processor(text=[rendered], audio=[wave], return_tensors="pt", add_special_tokens=False)
    assert real["input_ids"][0].tolist() == sound.ids.tolist()
    lengths = real["feature_attention_mask"].sum(-1)
    positions, _ = tiny_base.get_rope_index(
        real["input_ids"], attention_mask=real["attention_mask"], audio_seqlens=lengths
    )
    assert torch.equal(positions[:, 0], sound.positions)


def test_a_pictures_positions_are_those_of_a_real_one(layouter, processor, tiny_base):
    found = layouter.laid(TEXT, [], "picture", False, random.Random(1))
    inside = found.ids == processor.tokenizer.convert_tokens_to_ids(processor.image_token)
    rows, columns = (int(found.positions[axis, inside].unique().numel()) for axis in (1, 2))
    assert rows * columns == len(found.layout)
    rendered = processor.tokenizer.decode(found.ids).replace("<|IMAGE|>" * len(found.layout), "<|IMAGE|>")
    image = Image.new("RGB", (28 * columns, 28 * rows))
    real = processor(text=[rendered], images=[image], return_tensors="pt", add_special_tokens=False)
    assert real["input_ids"][0].tolist() == found.ids.tolist()
    positions, _ = tiny_base.get_rope_index(
        real["input_ids"], image_grid_thw=real["image_grid_thw"], attention_mask=real["attention_mask"]
    )
    assert torch.equal(positions[:, 0], found.positions)


def test_a_scene_is_laid_out_by_its_words_and_the_answer_ends_the_ids(layouter, processor):
    scene = sample_scene(random.Random(3), 224, 196)
    found = layouter.asked(scene, Question("How many shapes are there?", "4"), random.Random(0))
    words = processor.tokenizer.decode(found.layout[found.layout != BLANK]).split()
    assert sorted(words) == sorted(word for shape in scene.shapes for word in shape.name.split())
    assert len(found.layout) == 8 * 7
    answer = processor.tokenizer.decode(found.ids[-found.answer :])
    assert answer == "4<|im_end|>" and "How many shapes are there?" in processor.tokenizer.decode(found.ids)


def test_a_spelled_word_is_laid_out_by_its_letters_and_written_whole(layouter, processor):
    found = layouter.spelled("Flour", random.Random(0))
    letters = processor.tokenizer.decode(found.layout[found.layout != BLANK].unique_consecutive())
    assert letters.split() == list("flour")
    assert processor.tokenizer.decode(found.ids[-found.answer :]) == "flour<|im_end|>"


def test_an_answer_that_holds_a_placeholder_is_left_out(layouter, processor):
    placeholder = processor.tokenizer.convert_tokens_to_ids(processor.audio_token)
    assert layouter.laid(TEXT, [5, placeholder], "sound", False, random.Random(0)) is None


def test_what_does_not_fit_is_left_out(layouter):
    assert layouter.laid("word " * 600, [5], "sound", False, random.Random(0)) is None
