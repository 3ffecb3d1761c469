"""What a microphone and a room do to speech: level, noise, reverberation, speed. Mono float32 at `SAMPLE_RATE`, within [-1, 1]."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from casa.errors import MissingDependencyError

SAMPLE_RATE = 16_000  # Hz

Audio = npt.NDArray[np.float32]


def resampled(audio: Audio, sample_rate: float) -> Audio:
    """The same sound at `SAMPLE_RATE`.

    Args:
        audio: mono samples.
        sample_rate: theirs, in Hz.

    Raises:
        MissingDependencyError: soxr is not installed.
    """
    try:
        import soxr
    except ImportError as error:
        raise MissingDependencyError("resampling needs soxr. Install it with\n    pip install soxr") from error
    return _within_one(soxr.resample(audio, sample_rate, SAMPLE_RATE))


def at_speed(audio: Audio, factor: float) -> Audio:
    """Played `factor` times as fast, tempo and pitch alike."""
    return resampled(audio, SAMPLE_RATE * factor)


def at_loudness(audio: Audio, dbfs: float) -> Audio:
    """Scaled to a root mean square of `dbfs` decibels below full scale, or less where peaks would exceed 1; silence stays."""
    level = np.sqrt(np.mean(np.square(audio, dtype=np.float64))) if len(audio) else 0.0
    return _within_one(audio * (10 ** (dbfs / 20) / level)) if level else audio


def with_noise(audio: Audio, snr_db: float, rng: np.random.Generator, colour: float = 0.0) -> Audio:
    """With stationary noise at a signal-to-noise ratio over the whole clip; the sum is scaled down where it would exceed 1.

    Args:
        audio: mono samples; silence stays.
        snr_db: power of `audio` over power of the noise, in decibels.
        rng: draws the noise.
        colour: its spectrum falls as frequency ** -colour: 0 is white, 1 pink, 2 brown.
    """
    power = np.mean(np.square(audio, dtype=np.float64)) if len(audio) else 0.0
    if not power:
        return audio
    noise = _coloured(len(audio), colour, rng)
    noise *= np.sqrt(power / np.mean(noise**2) / 10 ** (snr_db / 10))
    return _within_one(audio + noise)


def reverberated(audio: Audio, seconds: float, wet: float, rng: np.random.Generator) -> Audio:
    """In a room whose echoes are noise that decays exponentially; as long as before, scaled down where it would exceed 1.

    Args:
        audio: mono samples.
        seconds: time in which the echoes fall by 60 decibels.
        wet: root of the echoes' energy over the direct sound's.
        rng: draws the room.
    """
    times = np.arange(1, round(seconds * SAMPLE_RATE) + 1) / SAMPLE_RATE
    echoes = rng.standard_normal(len(times)) * 10 ** (-3 * times / seconds)
    echoes *= wet / np.linalg.norm(echoes)
    response = np.concatenate([[1.0], echoes])
    size = len(audio) + len(response) - 1
    heard = np.fft.irfft(np.fft.rfft(audio, size) * np.fft.rfft(response, size), size)
    return _within_one(heard[: len(audio)])


def _coloured(length: int, colour: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    spectrum = np.fft.rfft(rng.standard_normal(length))
    frequencies = np.maximum(np.arange(len(spectrum)), 1.0)
    return np.fft.irfft(spectrum * frequencies ** (-colour / 2), length)


def _within_one(audio: npt.NDArray[np.floating]) -> Audio:
    peak = np.abs(audio).max(initial=0.0)
    return (audio / max(peak, 1.0)).astype(np.float32)
