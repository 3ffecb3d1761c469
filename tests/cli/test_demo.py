import json


def test_demo_writes_both_reports_and_prints_the_rates(run, tiny_casa_folder, tmp_path):
    folder = tmp_path / "out"
    result = run("demo", "--model", tiny_casa_folder, "--out", folder, "--threads", "1")
    assert result.exit_code == 0, result.output
    assert "attack success, jailbreak" in result.stdout
    assert "over-refusal, lookalike" in result.stdout
    report = json.loads((folder / "report.json").read_text())
    assert len(report["rows"]) == 20
    assert report["summary"]["attack_success"]["malicious"]["before"]["n"] == 5
    assert (folder / "report.html").read_text().startswith("<!doctype html>")


def test_demo_prints_the_report_as_json(run, tiny_casa_folder, tmp_path):
    result = run("demo", "--model", tiny_casa_folder, "--out", tmp_path / "out", "--json")
    assert json.loads(result.stdout) == json.loads((tmp_path / "out" / "report.json").read_text())
