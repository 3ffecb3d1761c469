"""Sound as one channel at the model's rate, from the forms that a message part may hold."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from casa.errors import MessageError, MissingDependencyError
from casa.model.media import MediaLimits, media_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Wave = NDArray[np.float32]

SHORTEST_S = 0.1  # less gives no frame to hear
_MOST_CHANNELS = 8
_RATES = range(1000, 400_000)  # Hz
_LARGEST = 8.0  # resampling overshoots 1 a little; integers cast to floats go far beyond


def load_audio(source: Any, rate: int, source_rate: int | None = None, limits: MediaLimits | None = None) -> Wave:
    """A mono float32 waveform at `rate` Hz, shape (samples,), from an array, bytes, path or data URL.

    Channels are averaged; WAV, FLAC, OGG and MP3 are read.

    Args:
        source: arrays are floats in [-1, 1], or int16, of shape (samples,) or (samples, channels).
        rate: wanted, in Hz.
        source_rate: of an array, in Hz.
        limits: how long it may be.

    Raises:
        MessageError: it is not readable audio, is empty, too short or too long, or holds values that are not finite.
    """
    try:
        import soxr
    except ImportError as error:
        raise MissingDependencyError(f"audio needs soxr: pip install soxr ({error})") from error

    limits = limits or MediaLimits()
    if hasattr(source, "__array_interface__"):
        wave, found = _from_array(source, source_rate)
    else:
        wave, found = _decoded(media_bytes(source, "audio", limits), limits)
    wave = _checked(wave, found, limits)
    return wave if found == rate else soxr.resample(wave, found, rate)


def _from_array(source: Any, rate: int | None) -> tuple[Wave, int]:
    import numpy as np

    if rate is None:
        raise MessageError(
            "an audio array needs its sampling rate: {'type': 'audio', 'audio': x, 'sampling_rate': 16000}"
        )
    wave = np.asarray(source)
    if wave.dtype == np.int16:
        return wave.astype(np.float32) / np.float32(32768), rate
    if not np.issubdtype(wave.dtype, np.floating):
        raise MessageError(f"an audio array holds floats or int16, not {wave.dtype}")
    return wave.astype(np.float32), rate


def _decoded(content: bytes, limits: MediaLimits) -> tuple[Wave, int]:
    """Samples and rate of a file; what its header announces is checked before anything is unpacked."""
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise MissingDependencyError(f"audio files need soundfile: pip install soundfile ({error})") from error
    try:
        with soundfile.SoundFile(BytesIO(content)) as file:
            _check_form(file.samplerate, file.channels)
            limits.check_seconds(file.frames / file.samplerate)
            limits.check_samples(file.frames * file.channels)
            wave: Wave = file.read(dtype="float32")
            return wave, file.samplerate
    except MessageError:
        raise
    except (soundfile.LibsndfileError, ValueError, RuntimeError, MemoryError) as error:
        raise MessageError(f"unreadable audio: {error}") from error


def _checked(wave: Wave, rate: int, limits: MediaLimits) -> Wave:
    """One channel, long enough and not too long, finite and in range."""
    import numpy as np

    if not 1 <= wave.ndim <= 2:
        raise MessageError(f"audio has the shape (samples,) or (samples, channels), not {wave.shape}")
    _check_form(rate, wave.shape[1] if wave.ndim == 2 else 1)
    wave = wave.mean(axis=1) if wave.ndim == 2 else wave
    if len(wave) < SHORTEST_S * rate:
        raise MessageError(f"the audio has {len(wave) / rate:.3f} s, too short to hear; it needs {SHORTEST_S} s")
    limits.check_seconds(len(wave) / rate)
    if not np.isfinite(wave).all():
        raise MessageError("the audio holds values that are not finite")
    if (largest := float(np.abs(wave).max())) > _LARGEST:
        raise MessageError(f"the audio holds values up to {largest:g}; floats of sound are in [-1, 1]")
    return wave


def _check_form(rate: int, channels: int) -> None:
    if rate not in _RATES:
        raise MessageError(f"a sampling rate of {rate} Hz is not sound")
    if not 1 <= channels <= _MOST_CHANNELS:
        raise MessageError(f"audio has 1 to {_MOST_CHANNELS} channels, not {channels}")
