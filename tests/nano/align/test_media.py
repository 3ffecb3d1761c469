"""Real pictures and clips go through the model's own towers, and the reader sees what the model would see."""

import random

import numpy as np
import pytest
import torch

from casa.errors import CasaError
from casa.method.config import CasaConfig
from casa.method.tokens import add_safety_tokens
from casa.model.messages import ChatFormat
from casa.nano.align import media
from casa.nano.align.examples import FOLLOW, Layouter
from casa.nano.align.media import Towers
from casa.nano.align.reader import Reader
from casa.nano.pictures.fonts import families_of
from casa.nano.pictures.questions import Question
from casa.nano.pictures.scenes import sample_scene

TEXT = "Name three things that are baked with flour."
FORMS = ["sound", pytest.param("picture", marks=pytest.mark.skipif(not families_of("train"), reason="no fonts"))]


@pytest.fixture(autouse=True)
def hummed(monkeypatch):
    """A hum of so many seconds as there are words, so that no synthesizer is needed."""
    monkeypatch.setattr(
        media,
        "voices",
        lambda split, seed: lambda text: (np.sin(np.arange(4000 * len(text.split())) / 9).astype(np.float32), 16000),
    )


@pytest.fixture
def towers(processor, tiny_base):
    tokens = add_safety_tokens(processor.tokenizer, CasaConfig())
    return Towers(tiny_base, ChatFormat(processor, tokens, CasaConfig()), frozenset({"picture", "sound"}))


@pytest.mark.parametrize("form", FORMS)
@torch.no_grad()
def test_the_reader_sees_what_the_model_sees_in_use(towers, processor, tiny_base, form, monkeypatch):
    monkeypatch.setitem(FOLLOW, form, ("Do it.",))
    laid = Layouter(processor, tiny_base, 8, towers).laid(TEXT, [5, 6, 7], form, False, random.Random(0), real=True)
    rng = random.Random(0)
    rng.choice(FOLLOW[form])
    part = towers._clip(TEXT, rng) if form == "sound" else towers._picture(TEXT, rng)
    messages = [{"role": "user", "content": [part, {"type": "text", "text": "Do it."}]}]
    inputs = towers._chat.prompt(messages).inputs
    assert inputs["input_ids"][0].tolist() == laid.ids[: -laid.answer].tolist()
    expected = tiny_base(**inputs).logits[0, -1]
    logits, _ = Reader(tiny_base, 2, 5, {})([(laid, form)], 0.0, torch.Generator())
    assert torch.allclose(logits[0], expected, atol=1e-4)


def test_scenes_are_real_pictures_only_for_a_tower_that_knows_them(towers, processor, tiny_base):
    scene = sample_scene(random.Random(3), 224, 196)
    layouter = Layouter(processor, tiny_base, 8, towers)
    question = Question("How many shapes are there?", "4")
    assert layouter.asked(scene, question, random.Random(0), real=True).vectors is None
    towers.scenes = True
    laid = layouter.asked(scene, question, random.Random(0), real=True)
    placeholder = processor.tokenizer.convert_tokens_to_ids(processor.image_token)
    assert len(laid.vectors) == int((laid.ids == placeholder).sum()) == 8 * 7


def test_speech_that_is_too_long_is_left_out(towers):
    assert towers.placed("word " * 120, "", "sound", random.Random(0)) is None


def test_a_medium_without_a_trained_tower_is_refused(towers):
    towers.media = frozenset({"picture"})
    with pytest.raises(CasaError, match="no trained tower for a sound"):
        towers.placed(TEXT, "", "sound", random.Random(0))


def test_without_a_trained_tower_the_layout_is_perfect(towers, processor, tiny_base):
    towers.media = frozenset()
    laid = Layouter(processor, tiny_base, 8, towers).laid(TEXT, [5], "sound", False, random.Random(0), real=True)
    assert laid.vectors is None and len(laid.layout)
