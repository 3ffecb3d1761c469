"""Bounded noise on media moves the real verdict, more the more of it is allowed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from casa.attacks.noise import log_mel, pixel_attack, pixel_bound, waveform_attack

IMAGE = [{"role": "user", "content": [{"type": "image", "image": Image.effect_noise((112, 112), 80)}]}]
WAVE = np.sin(np.arange(8000) / 9).astype(np.float32) / 2
AUDIO = [{"role": "user", "content": [{"type": "audio", "audio": WAVE, "sampling_rate": 16000}]}]


@pytest.fixture
def casa(tiny_casa):
    """Calls everything unsafe, so that attacks go on."""
    tiny_casa.config = replace(tiny_casa.config, threshold=1e-6)
    return tiny_casa


@pytest.mark.parametrize(
    ("attack", "messages", "bounds"), [(pixel_attack, IMAGE, (0, 1, 64)), (waveform_attack, AUDIO, (0, 0.001, 0.2))]
)
def test_noise_moves_the_verdict_more_the_larger_it_may_be(casa, attack, messages, bounds):
    clean, reached = casa.classify(messages).p_unsafe, []
    for bound in bounds:
        attempts = list(attack(casa, messages, bound, steps=4))
        assert torch.sigmoid(torch.tensor(attempts[0].loss)).item() == pytest.approx(clean, abs=1e-4)
        reached.append(min(attempt.loss for attempt in attempts))
    assert reached[2] < reached[1] < reached[0]


def test_an_attack_ends_when_the_verdict_is_safe(tiny_casa):
    tiny_casa.config = replace(tiny_casa.config, threshold=1.0)
    assert len(list(pixel_attack(tiny_casa, IMAGE, 8, steps=5))) == 1


def test_the_bound_is_so_many_levels_in_each_channel(casa):
    process = casa.processor.image_processor
    grey, other = (np.full((56, 56, 3), 100, np.uint8) for _ in range(2))
    other[..., 0] += 8
    other[..., 2] -= 4
    before, after = (process(Image.fromarray(image), return_tensors="pt")["pixel_values"] for image in (grey, other))
    levels = (after - before) / pixel_bound(before, process.image_std, 1)
    assert {round(level, 2) for level in levels.unique().tolist()} == {8.0, 0.0, -4.0}
    assert len(set(process.image_std)) == 3


def test_pictures_by_channel_are_bounded_as_flat_patches_are():
    bound = pixel_bound(torch.zeros(1, 3, 2, 2), (0.5, 1.0, 2.0), 255)
    assert torch.equal(bound.expand(1, 3, 2, 2)[0, :, 1, 1], torch.tensor([2.0, 1.0, 0.5]))
    assert torch.equal(bound.expand(1, 3, 2, 2).flatten(1)[0], pixel_bound(torch.zeros(1, 12), (0.5, 1.0, 2.0), 255))


def test_the_spectrogram_is_the_processors(casa):
    features = casa.chat.prompt(AUDIO).inputs["input_features"]
    made = log_mel(torch.from_numpy(WAVE), casa.processor.feature_extractor)
    assert torch.allclose(made[None], features.float(), atol=1e-3)
