from pathlib import Path

from .conftest import json_lines


def test_info_tells_sources_towers_and_checksums(run, nano_folder):
    (facts,) = json_lines(run("nano", "info", "--json"))
    assert facts["language_model"]["licence"] == "Apache-2.0"
    assert len(facts["language_model"]["sha256"]) == 64
    assert facts["towers"].keys() == {"audio", "vision"}
    assert facts["folder"] == str(nano_folder)
    assert [file["intact"] for file in facts["files"]] == [True]
    assert facts["adapter"].keys() == {"folder", "present", "files"}


def test_info_says_that_it_is_no_assistant(run, nano_folder):
    result = run("nano", "info")
    assert result.exit_code == 0
    assert "often wrong" in result.stdout
    assert "not an assistant" in result.stdout


def test_info_works_before_it_is_built(run, monkeypatch, tmp_path):
    monkeypatch.setenv("CASA_CACHE", str(tmp_path))
    (facts,) = json_lines(run("nano", "info", "--json"))
    assert not facts["built"]
    assert "not built yet" in run("nano", "info").stdout


def test_info_notices_altered_weights(run, monkeypatch, tmp_path, nano_folder):
    monkeypatch.setenv("CASA_CACHE", str(tmp_path))
    copy = tmp_path / nano_folder.name
    copy.mkdir()
    (copy / "casa_nano.json").write_text((nano_folder / "casa_nano.json").read_text())
    (copy / "model.safetensors").write_bytes(b"other")
    assert json_lines(run("nano", "info", "--json"))[0]["files"][0]["intact"] is False
    assert "ALTERED" in run("nano", "info").stdout


def test_build_finds_the_assembled_folder(run, nano_folder):
    (row,) = json_lines(run("nano", "build", "--json"))
    assert row == {"folder": str(nano_folder), "built_now": False}
    assert Path(row["folder"]).is_dir()
