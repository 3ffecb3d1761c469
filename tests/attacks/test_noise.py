"""Bounded noise on media moves the real verdict, more the more of it is allowed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from casa.attacks.noise import log_mel, pixel_attack, waveform_attack

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


def test_the_spectrogram_is_the_processors(casa):
    features = casa.chat.prompt(AUDIO).inputs["input_features"]
    made = log_mel(torch.from_numpy(WAVE), casa.processor.feature_extractor)
    assert torch.allclose(made[None], features.float(), atol=1e-3)
