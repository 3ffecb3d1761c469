import json

import pytest

from casa.evaluation import demo_forms


@pytest.fixture
def text_and_pictures(monkeypatch):
    """Speech takes synthesizers that a machine may not have."""
    monkeypatch.setattr(demo_forms, "MEDIA_FORMS", ("picture",))


@pytest.fixture
def text_alone(monkeypatch):
    """As with a model that takes no media."""
    monkeypatch.setattr(demo_forms, "MEDIA_FORMS", ())


def test_demo_writes_both_reports_and_prints_the_rates(run, tiny_casa_folder, tmp_path, text_and_pictures):
    folder = tmp_path / "out"
    result = run("demo", "--model", tiny_casa_folder, "--out", folder, "--threads", "1")
    assert result.exit_code == 0, result.output
    assert "attack success, jailbreak" in result.stdout
    assert "over-refusal, lookalike" in result.stdout
    report = json.loads((folder / "report.json").read_text())
    assert [row["form"] for row in report["rows"]] == [*["text"] * 20, *["picture"] * 4]
    assert report["summary"]["attack_success"]["malicious"]["before"]["n"] == 5
    assert report["summary"]["forms"]["picture"]["over_refusal"]["after"]["n"] == 2
    assert (folder / "report.html").read_text().startswith("<!doctype html>")


def test_demo_prints_forms_where_there_is_more_than_text(run, tiny_casa_folder, tmp_path, text_and_pictures):
    printed = run("demo", "--model", tiny_casa_folder, "--out", tmp_path / "out").stdout
    assert printed.split()[:2] == ["form", "kind"]
    assert "picture" in printed and "/2 -> " in printed


def test_demo_prints_no_forms_where_there_is_text_alone(run, tiny_casa_folder, tmp_path, text_alone):
    printed = run("demo", "--model", tiny_casa_folder, "--out", tmp_path / "out").stdout
    assert printed.split()[:2] == ["kind", "prompt"]
    assert "form" not in printed.split() and "->" not in printed


def test_demo_prints_the_report_as_json(run, tiny_casa_folder, tmp_path, text_and_pictures):
    result = run("demo", "--model", tiny_casa_folder, "--out", tmp_path / "out", "--json")
    assert json.loads(result.stdout) == json.loads((tmp_path / "out" / "report.json").read_text())
