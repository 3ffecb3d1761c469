"""Voices by synthesizer, split so that no voice of one split is heard in another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from casa.data.reading import Split

ESPEAK, FLITE, PIPER = "espeak-ng", "flite", "piper"
# Neural speech is slow and its voice's terms are less plain, so it comes on request only.
DEFAULT_SYNTHESIZERS = (ESPEAK, FLITE)
_SHARES = {ESPEAK: 2.0, FLITE: 3.0, PIPER: 1.0}  # espeak brings many speakers, the others natural sound

_ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029", "en-us-nyc")
_TEST_ACCENT = "en-gb-x-rp"
# Left out: whispering, croaking and robot variants, which people would not understand either.
_TRAIN_VARIANTS = (
    *("", "+f1", "+f2", "+f3", "+f4", "+m1", "+m2", "+m3", "+m4", "+m5", "+m7", "+adam", "+Alex", "+Alicia", "+Andrea"),
    *("+Andy", "+Annie", "+antonio", "+belinda", "+benjamin", "+boris", "+caleb", "+david", "+Denis", "+Diogo", "+ed"),
    *("+edward", "+Gene", "+gustave", "+Henrique", "+Hugo", "+john", "+klatt", "+klatt2", "+Lee", "+linda", "+marcelo"),
    *("+Marco", "+Mario", "+max", "+Michael", "+michel", "+miguel", "+Mike", "+pablo", "+paul", "+pedro", "+quincy"),
    *("+rob", "+robert", "+sandro", "+shelby", "+steph2", "+travis"),
)
_DEV_VARIANTS = ("+m6", "+anika", "+norbert", "+steph")
_TEST_VARIANTS = ("+f5", "+m8", "+steph3", "+victor", "+zac")


@dataclass(frozen=True)
class Voice:
    """One speaker.

    Attributes:
        synthesizer: who says it.
        name: as that synthesizer calls it; espeak-ng's are an accent and a variant, "en-us+f3".
        split: where it may be heard.
    """

    synthesizer: str
    name: str
    split: Split


def _combined(accents: Sequence[str], variants: Sequence[str], split: Split) -> list[Voice]:
    return [Voice(ESPEAK, accent + variant, split) for accent in accents for variant in variants]


VOICES: tuple[Voice, ...] = (
    *_combined(_ACCENTS, _TRAIN_VARIANTS, "train"),
    *_combined(_ACCENTS, _DEV_VARIANTS, "dev"),
    *_combined([_TEST_ACCENT], ("", *_TEST_VARIANTS), "test"),
    *(Voice(FLITE, name, "train") for name in ("slt", "awb", "kal16")),
    Voice(FLITE, "rms", "test"),
    Voice(PIPER, "joe", "train"),
)


def voice_names(synthesizer: str) -> tuple[str, ...]:
    """Names of all voices of a synthesizer."""
    return tuple(voice.name for voice in VOICES if voice.synthesizer == synthesizer)


def sample_voice(rng: np.random.Generator, split: Split, synthesizers: Sequence[str] = DEFAULT_SYNTHESIZERS) -> Voice:
    """A voice of the split: first the synthesizer by its share, then evenly one of its voices.

    Raises:
        ValueError: none of the synthesizers has a voice in this split.
    """
    voices = [voice for voice in VOICES if voice.split == split and voice.synthesizer in synthesizers]
    names = sorted({voice.synthesizer for voice in voices})
    if not names:
        raise ValueError(f"no voice of {', '.join(synthesizers) or 'no synthesizer'} belongs to the split {split!r}")
    shares = np.array([_SHARES[name] for name in names])
    chosen = names[rng.choice(len(names), p=shares / shares.sum())]
    fitting = [voice for voice in voices if voice.synthesizer == chosen]
    return fitting[rng.integers(len(fitting))]
