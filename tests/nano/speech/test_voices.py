import re
import shutil
import subprocess
from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from casa.nano.speech.voices import ESPEAK, FLITE, PIPER, VOICES, sample_voice, voice_names

SPLITS = ("train", "dev", "test")


def names(split):
    return {(voice.synthesizer, voice.name) for voice in VOICES if voice.split == split}


def test_no_voice_is_in_two_splits():
    assert all(not names(one) & names(other) for one, other in combinations(SPLITS, 2))
    assert len(VOICES) == sum(len(names(split)) for split in SPLITS)


def test_a_held_out_accent_a_held_out_speaker_and_held_out_variants_are_not_heard_in_training():
    train = names("train")
    assert (FLITE, "rms") in names("test")
    assert not [name for _, name in train if "-rp" in name]
    variants = {split: {name.partition("+")[2] for s, name in names(split) if s == ESPEAK} - {""} for split in SPLITS}
    assert all(variants.values())
    assert all(not variants[one] & variants[other] for one, other in combinations(SPLITS, 2))


@pytest.mark.parametrize("split", SPLITS)
def test_a_sampled_voice_belongs_to_the_split_and_the_synthesizers(split):
    rng = np.random.default_rng(0)
    drawn = [sample_voice(rng, split) for _ in range(300)]
    assert {voice.split for voice in drawn} == {split}
    assert {voice.synthesizer for voice in drawn} <= {ESPEAK, FLITE}
    assert {sample_voice(rng, split, [ESPEAK]).synthesizer for _ in range(20)} == {ESPEAK}


def test_synthesizers_are_sampled_by_their_shares_and_the_seed_decides():
    def draw():
        rng = np.random.default_rng(3)
        return [sample_voice(rng, "train", [ESPEAK, FLITE, PIPER]) for _ in range(3000)]

    drawn = draw()
    counts = Counter(voice.synthesizer for voice in drawn)
    assert counts[FLITE] == pytest.approx(1500, abs=120)
    assert counts[ESPEAK] == pytest.approx(1000, abs=120)
    assert drawn == draw()


def test_a_split_without_a_voice_is_an_error():
    with pytest.raises(ValueError, match="no voice of piper"):
        sample_voice(np.random.default_rng(0), "test", [PIPER])


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
def test_espeak_has_every_voice():  # it says an unknown variant in the plain voice, without a word
    def listed(language):
        return subprocess.run(["espeak-ng", f"--voices={language}"], capture_output=True, text=True, check=True).stdout

    accents, variants = (
        set(re.findall(r"^ *\d+ +(\S+)", listed("en"), re.M)),
        set(re.findall(r"!v/(\S+)", listed("variant"))),
    )
    for name in voice_names(ESPEAK):
        accent, _, variant = name.partition("+")
        assert accent in accents
        assert not variant or variant in variants


@pytest.mark.skipif(not shutil.which("flite"), reason="flite is not installed")
def test_flite_has_every_voice():  # it says an unknown one in its first voice, without a word
    listed = subprocess.run(["flite", "-lv"], capture_output=True, text=True, check=True).stdout
    assert set(voice_names(FLITE)) <= set(listed.split())
