"""Sound reaches the model as one channel at its rate, or not at all."""

from io import BytesIO

import numpy as np
import pytest
import soundfile

from casa.errors import MessageError
from casa.model.media import MediaLimits
from casa.model.waveforms import SHORTEST_S, load_audio

RATE = 16000
TONE = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32) / 2


def encoded(wave, form, rate=RATE, **options):
    buffer = BytesIO()
    soundfile.write(buffer, wave, rate, format=form, **options)
    return buffer.getvalue()


def strongest_hz(wave):
    return np.abs(np.fft.rfft(wave)).argmax() * RATE / len(wave)


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "MP3"])
def test_every_format_is_read_whatever_the_file_is_called(form, tmp_path):
    path = tmp_path / "wrong.png"
    path.write_bytes(encoded(TONE, form))
    wave = load_audio(path, RATE)
    assert wave.dtype == np.float32 and wave.ndim == 1
    assert strongest_hz(wave) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_another_rate_is_resampled(rate):
    tone = np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)
    wave = load_audio(tone, RATE, source_rate=rate)
    assert len(wave) == pytest.approx(RATE, abs=2)
    assert strongest_hz(wave) == pytest.approx(440, abs=2)


def test_channels_are_averaged():
    assert np.abs(load_audio(np.stack([TONE, -TONE], axis=1), RATE, RATE)).max() == 0


def test_integers_are_scaled():
    assert np.allclose(load_audio((TONE * 32768).astype(np.int16), RATE, RATE), TONE, atol=1e-4)
    assert np.allclose(load_audio(encoded(TONE, "WAV", subtype="PCM_24"), RATE), TONE, atol=1e-4)


@pytest.mark.parametrize(
    ("source", "rate"),
    [
        (b"", None),
        (b"not audio", None),
        (encoded(TONE, "WAV")[:30], None),
        (encoded(TONE, "FLAC")[:60], None),
        (encoded(TONE[:0], "WAV"), None),
        (encoded(TONE, "WAV", rate=100), None),
        (TONE, None),
        (TONE, 0),
        (TONE, -RATE),
        (TONE[:0], RATE),
        (TONE[: int(SHORTEST_S * RATE) - 1], RATE),
        (np.full(RATE, np.nan, np.float32), RATE),
        (np.full(RATE, np.inf), RATE),
        (TONE * 32768, RATE),
        (np.zeros(RATE, np.uint8), RATE),
        (np.zeros(RATE, complex), RATE),
        (np.zeros((2, RATE), np.float32), RATE),
        (np.zeros((RATE, 0), np.float32), RATE),
        (np.zeros((RATE, 1, 1), np.float32), RATE),
        (None, RATE),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_what_is_no_readable_sound_is_refused(source, rate):
    with pytest.raises(MessageError):
        load_audio(source, RATE, rate)


@pytest.mark.parametrize("source", [encoded(np.tile(TONE, 3), "WAV"), np.tile(TONE, 3)], ids=["file", "array"])
def test_a_clip_beyond_the_limit_is_refused(source):
    with pytest.raises(MessageError, match="seconds"):
        load_audio(source, RATE, RATE, MediaLimits(seconds=2))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (encoded(np.tile(TONE, 3), "FLAC"), "seconds"),
        (encoded(np.zeros((RATE, 8)), "FLAC"), "megasamples"),
        (encoded(np.zeros((RATE, 9)), "WAV"), "channels"),
        (encoded(np.zeros((1000, 255)), "OGG"), "channels"),
        (encoded(TONE, "WAV", rate=400_000), "400000 Hz"),
    ],
    ids=["long", "large", "channels", "many channels", "rate"],
)
def test_what_a_files_header_announces_is_checked_before_it_is_unpacked(monkeypatch, content, reason):
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *_, **__: pytest.fail("unpacked"))
    with pytest.raises(MessageError, match=reason):
        load_audio(content, RATE, limits=MediaLimits(seconds=2, megasamples=0.1))
