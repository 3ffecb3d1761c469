"""A defence's folder says what it is, and nothing altered is loaded."""

import json

import pytest

from casa.baselines.folder import DEFENCE_FILE, Saved, base_of, read_defence, write_defence
from casa.errors import CheckpointError
from casa.model.attach import describe
from casa.model.bases import load_base

SAVED = Saved("ssft", {"name": "base", "fingerprint": "f", "layers": "l"}, "Be careful.", 0.3, {"alpha": 5.0})


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "weights").write_bytes(b"weights")
    write_defence(tmp_path, SAVED, ("weights",))
    return tmp_path


def test_what_is_written_is_read(folder):
    assert read_defence(folder) == SAVED


def test_an_altered_file_is_refused(folder):
    (folder / "weights").write_bytes(b"other")
    with pytest.raises(CheckpointError, match="missing or altered"):
        read_defence(folder)


def test_a_missing_file_is_refused(folder):
    (folder / "weights").unlink()
    with pytest.raises(CheckpointError, match="missing or altered"):
        read_defence(folder)


@pytest.mark.parametrize("field", ["method", "threshold", "safety_prompt"])
def test_an_altered_setting_is_refused(folder, field):
    content = json.loads((folder / DEFENCE_FILE).read_text())
    content[field] = 1.0
    (folder / DEFENCE_FILE).write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="not as it was saved"):
        read_defence(folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 1}'])
def test_a_malformed_file_is_refused(folder, content):
    (folder / DEFENCE_FILE).write_text(content)
    with pytest.raises(CheckpointError, match="malformed"):
        read_defence(folder)


def test_a_folder_that_is_none_says_how_to_make_one(tmp_path):
    with pytest.raises(CheckpointError, match="casa train RECIPE --method"):
        read_defence(tmp_path)


def test_a_defence_of_other_weights_is_refused(tiny_base_folder, tmp_path):
    described = describe(load_base(str(tiny_base_folder)))
    assert base_of(tmp_path, Saved("pretrained", described)) is not None
    with pytest.raises(CheckpointError, match="other weights"):
        base_of(tmp_path, Saved("pretrained", {**described, "fingerprint": "0"}))
