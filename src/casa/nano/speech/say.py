"""Texts said in synthesized voices of one split."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from casa.data.reading import Split
from casa.nano.speech.effects import SAMPLE_RATE, resampled
from casa.nano.speech.speakable import speakable
from casa.nano.speech.synthesizers import SYNTHESIZERS
from casa.nano.speech.voices import DEFAULT_SYNTHESIZERS, VOICES, sample_voice


def voices(split: Split, seed: int) -> Callable[[str], tuple[Any, int]]:
    """Says texts in voices of one split, a voice drawn for each text: mono samples within [-1, 1], and their rate in Hz.

    Raises:
        MissingDependencyError: a synthesizer is not installed that has voices of the split.
    """
    names = {voice.synthesizer for voice in VOICES if voice.split == split} & set(DEFAULT_SYNTHESIZERS)
    made = {name: SYNTHESIZERS[name]() for name in sorted(names)}

    def say(text: str) -> tuple[Any, int]:
        voice = sample_voice(np.random.default_rng([seed, *text.encode()]), split)
        wave, rate = made[voice.synthesizer].say(speakable(text), voice.name)
        return resampled(wave, rate), SAMPLE_RATE

    return say
