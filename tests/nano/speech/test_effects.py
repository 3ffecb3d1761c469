import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casa.nano.speech.effects import SAMPLE_RATE, at_loudness, at_speed, resampled, reverberated, with_noise

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def clips(draw, least=1):
    """Noise bursts with pauses, of any level up to full scale."""
    length, level = draw(st.integers(least, 40_000)), draw(st.floats(1e-3, 1.0))
    rng = np.random.default_rng(draw(SEEDS))
    audio = rng.uniform(-1, 1, length) * (np.sin(np.arange(length) / 800) > -0.5)
    return (level * audio).astype(np.float32)


def decibels(ratio):
    return 10 * np.log10(ratio)


def check(audio, length):
    assert audio.dtype == np.float32
    assert audio.shape == (length,)
    assert np.isfinite(audio).all()
    assert np.abs(audio).max() <= 1


@settings(max_examples=50, deadline=None)
@given(clips(8000), st.floats(-5, 40), st.floats(0, 2), SEEDS)
def test_noise_has_the_asked_ratio_to_the_signal(audio, snr, colour, seed):
    noisy = with_noise(audio, snr, np.random.default_rng(seed), colour)
    check(noisy, len(audio))
    # the sum may be scaled down as a whole: the louder the peak of the same sum in double precision, the more
    quiet = with_noise(audio * np.float32(1e-2), snr, np.random.default_rng(seed), colour) / np.float32(1e-2)
    scale = np.abs(noisy).max() / np.abs(quiet).max()
    noise = noisy / scale - audio
    assert decibels(np.mean(audio.astype(float) ** 2) / np.mean(noise.astype(float) ** 2)) == pytest.approx(
        snr, abs=0.5
    )


@settings(max_examples=50, deadline=None)
@given(clips(), st.floats(0.05, 1.0), st.floats(0, 2), SEEDS)
def test_reverberation_keeps_length_and_bounds(audio, seconds, wet, seed):
    check(reverberated(audio, seconds, wet, np.random.default_rng(seed)), len(audio))


@settings(max_examples=50, deadline=None)
@given(clips(2000), st.floats(0.8, 1.25))
def test_speed_divides_the_length(audio, factor):
    check(faster := at_speed(audio, factor), len(faster))
    assert len(faster) == pytest.approx(len(audio) / factor, abs=2)


@settings(max_examples=50, deadline=None)
@given(clips(2000), st.integers(8000, 48000))
def test_resampling_keeps_the_duration(audio, sample_rate):
    check(same := resampled(audio, sample_rate), len(same))
    assert len(same) / SAMPLE_RATE == pytest.approx(len(audio) / sample_rate, abs=2 / 8000)


@settings(max_examples=50, deadline=None)
@given(clips(100), st.floats(-60, 0))
def test_loudness_is_as_asked_unless_peaks_would_exceed_one(audio, dbfs):
    loud = at_loudness(audio, dbfs)
    check(loud, len(audio))
    level = decibels(np.mean(loud.astype(float) ** 2)) if loud.any() else dbfs
    assert level <= dbfs + 0.01
    assert level == pytest.approx(dbfs, abs=0.01) or np.abs(loud).max() == pytest.approx(1) or not audio.any()


def test_resampling_keeps_a_tone():
    tone = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(resampled(tone, 22050)))
    assert abs(int(spectrum.argmax()) - 440) <= 1


def test_echoes_decay_by_60_decibels_in_the_given_time():
    click = np.zeros(SAMPLE_RATE, np.float32)
    click[0] = 0.5
    echoes = reverberated(click, 0.5, 0.5, np.random.default_rng(0)).astype(float) ** 2
    early, late = echoes[80:1680].mean(), echoes[4080:5680].mean()  # a quarter of a second apart
    assert decibels(early / late) == pytest.approx(30, abs=2)
    assert echoes[8100:].max() < 1e-9
    assert np.sqrt(echoes[1:].sum() / echoes[0]) == pytest.approx(0.5, abs=0.01)


def test_silence_stays_silence():
    silence, rng = np.zeros(1000, np.float32), np.random.default_rng(0)
    for heard in (at_loudness(silence, -20), with_noise(silence, 10, rng), reverberated(silence, 0.2, 0.5, rng)):
        assert not heard.any()


def test_the_seed_decides():
    audio = np.random.default_rng(0).uniform(-0.1, 0.1, 4000).astype(np.float32)
    for effect in (lambda rng: with_noise(audio, 10, rng, 1.0), lambda rng: reverberated(audio, 0.3, 0.3, rng)):
        first, again, other = (effect(np.random.default_rng(seed)) for seed in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)
