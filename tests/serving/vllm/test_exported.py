"""A model's checkpoint for vLLM is found where it is, or written once for each state of the model and threshold."""

import json

import pytest

from casa.errors import CheckpointError
from casa.model.casa_model import CasaModel
from casa.model.checkpoint import CONFIG_FILE, settings_digest
from casa.serving.vllm.exported import exported


@pytest.fixture
def loads(monkeypatch, tmp_path):
    """Loads as the command does, and notes each folder for which it did."""
    monkeypatch.setenv("CASA_CACHE", str(tmp_path / "cache"))
    noted = []
    return noted, lambda source, folder: noted.append(folder) or CasaModel.from_pretrained(source)


def test_it_is_written_once_and_anew_for_another_threshold(tiny_casa_folder, loads, tmp_path):
    noted, load = loads
    first = exported(str(tiny_casa_folder), None, load)
    assert exported(str(tiny_casa_folder), None, load) == exported(str(tiny_casa_folder), 0.5, load) == first
    assert noted == [first.folder] and tmp_path in first.folder.parents
    stricter = exported(str(tiny_casa_folder), 0.3, load)
    assert json.loads((stricter.folder / "config.json").read_text())["casa"]["config"]["threshold"] == 0.3
    assert len(noted) == 2


def test_it_is_written_anew_when_an_embedded_base_is_another(tiny_casa_folder, loads, monkeypatch):
    noted, load = loads
    first = exported(str(tiny_casa_folder), None, load)
    monkeypatch.setattr("casa.serving.vllm.exported.base_source", lambda name: f"{name}-v2")
    assert exported(str(tiny_casa_folder), None, load) != first
    assert len(noted) == 2


def test_of_two_servers_that_write_it_at_once_both_find_it(tiny_casa_folder, loads):
    _, load = loads

    def slowly(source, folder):
        casa = load(source, folder)
        exported(source, None, load)  # another one, while this one loads
        return casa

    found = exported(str(tiny_casa_folder), None, slowly)
    assert found == exported(str(tiny_casa_folder), None, load)
    assert [path for path in found.folder.parent.iterdir() if path != found.folder] == []


def test_an_exported_folder_is_taken_as_it_is(tiny_casa_folder, loads):
    noted, load = loads
    folder = exported(str(tiny_casa_folder), None, load).folder
    noted.clear()
    assert exported(str(folder), None, load).folder == exported(str(folder), 0.5, load).folder == folder
    assert noted == []
    with pytest.raises(CheckpointError, match="export it again with --threshold"):
        exported(str(folder), 0.3, load)


def test_a_models_own_safety_prompt_is_left_to_the_door(tiny_casa_folder, loads):
    path = tiny_casa_folder / CONFIG_FILE
    content = json.loads(path.read_text())
    content["casa"]["safety_prompt"] = "Judge first."
    content["sha256"]["settings"] = settings_digest({name: content[name] for name in ("base_model", "casa", "tokens")})
    path.write_text(json.dumps(content))
    found = exported(str(tiny_casa_folder), None, loads[1])
    assert found.safety_prompt == "Judge first."
    assert json.loads((found.folder / "config.json").read_text())["casa"]["config"]["safety_prompt"] is None
