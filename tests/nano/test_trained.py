"""Trained parts reach the thinker unchanged, say which media it can take, and are refused when altered."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from casa.errors import CheckpointError, DataError
from casa.nano.align.reader import Reader
from casa.nano.audio.head import save_tower
from casa.nano.audio.whisper import FRESH
from casa.nano.ship_trained import ship_parts
from casa.nano.trained import (
    check_files,
    fingerprint,
    media_refused,
    parts_of,
    put_into,
    trained_folder,
    vision_shape,
)
from casa.nano.vision.tower import build_tower, tower_config
from tiny import make_tiny_base

ALL_MEDIA = ["audio", "image", "video"]


def summarised(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "summary.json").write_text(json.dumps({"command": "train", "commit": "c" * 40, "seed": 1, "curve": []}))
    return folder


@pytest.fixture
def vision_run(tmp_path):
    folder = summarised(tmp_path / "vision_run")
    tower = build_tower(tower_config(depth=2, hidden_size=64, intermediate_size=64, out=32), seed=5)
    save_file(
        {name: value.to(torch.bfloat16) for name, value in tower.state_dict().items()}, folder / "tower.safetensors"
    )
    tower.config.to_json_file(folder / "config.json")
    save_file({"blank": torch.zeros(32)}, folder / "heads.safetensors")
    (folder / "vocabulary.json").write_text("[5, 6]\n")
    return folder


@pytest.fixture
def reading_run(nano_folder, tmp_path):
    folder = summarised(tmp_path / "reading_run")
    reader = Reader(make_tiny_base(nano_folder), 2, 0, {})
    torch.manual_seed(1)
    for name, weight in reader.adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    reader.adapted.save_pretrained(str(folder))
    return folder


def test_without_parts_all_media_are_refused_and_nothing_changes(nano_folder, tmp_path):
    thinker = make_tiny_base(nano_folder)
    before = {name: value.clone() for name, value in thinker.state_dict().items()}
    put_into(thinker, tmp_path, None)
    assert all(torch.equal(before[name], value) for name, value in thinker.state_dict().items())
    assert (parts_of(tmp_path), fingerprint(tmp_path), vision_shape(tmp_path)) == ({}, "", {})
    assert media_refused(tmp_path) == ALL_MEDIA


def test_a_shipped_vision_tower_is_the_trained_one_and_brings_its_shape(nano_folder, vision_run, tmp_path):
    target = tmp_path / "trained"
    size = ship_parts({"vision": vision_run}, target)
    assert size == sum(path.stat().st_size for path in (target / "vision").iterdir()) - header_bytes(target / "vision")
    assert media_refused(target) == ALL_MEDIA  # the language model cannot read it yet
    assert vision_shape(target)["hidden_size"] == 64
    thinker = make_tiny_base(nano_folder)
    thinker.base_model.visual = build_tower(tower_config(2, 64, 64, 32), seed=0)
    put_into(thinker, target, None)
    trained = load_file(vision_run / "tower.safetensors")
    assert all(
        torch.equal(thinker.base_model.visual.state_dict()[name], value.float()) for name, value in trained.items()
    )


def test_a_medium_is_taken_once_there_is_a_tower_and_the_language_model_can_read_it(vision_run, reading_run, tmp_path):
    ship_parts({"reading": reading_run}, tmp_path)
    assert media_refused(tmp_path) == ALL_MEDIA
    ship_parts({"vision": vision_run}, tmp_path)
    assert media_refused(tmp_path) == ["audio"]


def header_bytes(folder):
    return sum(8 + int.from_bytes(path.read_bytes()[:8], "little") for path in folder.glob("*.safetensors"))


def test_a_shipped_audio_tower_is_whisper_with_its_tuned_end(nano_folder, tmp_path, monkeypatch):
    thinker = make_tiny_base(nano_folder)
    state = {name: value + 1 for name, value in thinker.base_model.audio_tower.state_dict().items()}
    whisper = {name: value for name, value in state.items() if name not in FRESH}
    monkeypatch.setattr("casa.nano.audio.whisper.encoder_weights", lambda path: whisper)
    tuned = {"proj.weight": torch.randn(32, 32).to(torch.bfloat16)}
    folder = summarised(tmp_path / "run")
    save_tower(folder, Dummy(tuned), torch.zeros(32), torch.zeros(()))
    target = tmp_path / "trained"
    ship_parts({"audio": folder}, target)
    put_into(thinker, target, tmp_path / "whisper.bin")
    found = thinker.base_model.audio_tower.state_dict()
    assert torch.equal(found["proj.weight"], tuned["proj.weight"].float())
    assert torch.equal(found["conv1.weight"], whisper["conv1.weight"])
    with pytest.raises(CheckpointError, match="Whisper"):
        put_into(thinker, target, None)


class Dummy:
    """Stands for the tuned half of an encoder."""

    def __init__(self, state):
        self._state = state

    def state_dict(self):
        return self._state


def test_a_shipped_reading_adapter_is_merged(nano_folder, reading_run, tmp_path):
    from peft import PeftModel

    target, ids = tmp_path / "trained", torch.tensor([[1, 5, 9, 3]])
    ship_parts({"reading": reading_run}, target)
    plain, adapted = (
        make_tiny_base(nano_folder),
        PeftModel.from_pretrained(make_tiny_base(nano_folder), str(reading_run)),
    )
    merged = put_into(make_tiny_base(nano_folder), target, None)
    with torch.inference_mode():
        found, expected, before = (model(ids).logits for model in (merged, adapted, plain))
    assert torch.allclose(found, expected, atol=0.02) and not torch.allclose(found, before, atol=0.02)
    assert merged.state_dict().keys() == plain.state_dict().keys()


def test_a_fingerprint_changes_with_the_weights(vision_run, reading_run, tmp_path):
    first, second = tmp_path / "one", tmp_path / "two"
    ship_parts({"vision": vision_run}, first)
    ship_parts({"vision": vision_run, "reading": reading_run}, second)
    assert len({fingerprint(first), fingerprint(second), ""}) == 3
    ship_parts({"reading": reading_run}, first)
    assert fingerprint(first) == fingerprint(second)


def test_altered_weights_are_refused(vision_run, tmp_path):
    target = tmp_path / "trained"
    ship_parts({"vision": vision_run}, target)
    tower = target / "vision" / "tower.safetensors"
    tower.write_bytes(tower.read_bytes()[:-1] + b"x")
    with pytest.raises(CheckpointError, match="altered"):
        check_files(target)
    tower.unlink()
    with pytest.raises(CheckpointError, match="missing"):
        check_files(target)


def test_an_unfinished_run_and_too_much_are_refused_and_change_nothing(vision_run, tmp_path, monkeypatch):
    target = tmp_path / "trained"
    monkeypatch.setattr("casa.nano.ship_trained.MOST_BYTES", 1000)
    with pytest.raises(DataError, match="too much"):
        ship_parts({"vision": vision_run}, target)
    (vision_run / "summary.json").unlink()
    with pytest.raises(DataError, match=r"no finished run.*summary\.json"):
        ship_parts({"vision": vision_run}, target)
    assert not target.exists()


def test_the_shipped_parts_are_intact():
    check_files(trained_folder())


def test_the_shipped_reading_names_its_base_and_no_folder():
    content = json.loads((trained_folder() / "reading" / "adapter_config.json").read_text())
    assert content["base_model_name_or_path"] == "casa-nano"


def test_assembled_casa_nano_takes_the_media_it_has_towers_for(nano_folder):
    config = json.loads((nano_folder / "config.json").read_text())["thinker_config"]
    assert config["untrained_media"] == media_refused(trained_folder())
