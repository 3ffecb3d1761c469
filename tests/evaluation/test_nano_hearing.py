"""What a tower hears in clips of tones, and how its errors are counted."""

from pathlib import Path

import pytest
import torch

from casa.errors import CheckpointError
from casa.evaluation.nano_hearing import hearing_figures, transcribed
from casa.nano.audio.head import UpperEncoder, load_encoder, save_tower
from casa.nano.audio.read import Heard
from casa.nano.audio.start import read_start
from casa.nano.speech.clips import Clip
from sines import SHAPE, WIDTH, write_sines, write_sines_start

CPU = torch.device("cpu")


def clip(kind: str, transcript: str, synthesizer: str = "flite") -> Clip:
    return Clip(0, kind, transcript, transcript, synthesizer, "voice", 1.0, 0, 16000)


@pytest.fixture
def start(tmp_path) -> Path:
    write_sines(tmp_path / "clips", 12, seed=1)
    return write_sines_start(tmp_path / "start.safetensors")


def saved(folder: Path, start: Path, layers: int, shape=SHAPE) -> Path:
    begun = read_start(start)
    torch.manual_seed(0)
    upper = UpperEncoder(shape, layers, WIDTH)
    load_encoder(upper, begun.encoder)
    save_tower(folder, upper, begun.blank, torch.zeros(()))
    return folder / "tower.safetensors"


@pytest.mark.parametrize("layers", [1, 2])
def test_every_clip_is_heard_as_words_of_the_start_file(start, tmp_path, layers):
    clips, heard = transcribed(tmp_path / "clips", start, saved(tmp_path, start, layers), CPU, SHAPE)
    assert len(clips) == len(heard) == 12
    assert {word for one in heard for word in one.text.split()} <= {"low", "middle", "high", "a", "b"}


def test_a_tower_of_another_shape_is_refused(start, tmp_path):
    tower = saved(tmp_path, start, 2)
    with pytest.raises(CheckpointError, match="does not fit"):
        transcribed(tmp_path / "clips", start, tower, CPU, {**SHAPE, "encoder_ffn_dim": 56})


def test_errors_are_counted_by_kind_and_by_synthesizer():
    clips = [clip("sentence", "a b c d"), clip("mixed", "a b", "espeak-ng"), clip("spelled", "x y z")]
    heard = [Heard("a b c", [0.5, 1.0]), Heard("a x b y", []), Heard("x y q", [0.9])]
    found = hearing_figures(clips, heard)
    assert found["closeness"] == pytest.approx(0.8)
    assert found["all"]["word_error_rate"]["rate"] == pytest.approx(3 / 6)
    assert found["all"]["letter_error_rate"]["rate"] == pytest.approx(1 / 3)
    assert found["by_synthesizer"]["flite"]["word_error_rate"]["rate"] == pytest.approx(1 / 4)
    assert found["by_synthesizer"]["espeak-ng"] == {
        "word_error_rate": found["by_synthesizer"]["espeak-ng"]["word_error_rate"]
    }
