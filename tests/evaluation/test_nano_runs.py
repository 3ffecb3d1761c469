"""Models that differ in one choice are measured on the same queries, each in a column of its own."""

import json
import shutil
import sys

import pytest

from casa.evaluation import nano_runs
from casa.evaluation.tables import with_tables


@pytest.fixture
def two_runs(tiny_casa_folder):
    """The same model under two names, the second with a threshold that every query is above."""
    other = tiny_casa_folder.with_name("wary")
    shutil.copytree(tiny_casa_folder, other)
    config = json.loads((other / "casa_config.json").read_text())
    config["threshold"] = 0.01
    (other / "casa_config.json").write_text(json.dumps(config))
    return tiny_casa_folder, other


def measure(monkeypatch, out, *models):
    options = ["--limit", "2", "--max-new-tokens", "3", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["nano_runs", *map(str, models), *options])
    nano_runs.main()


def test_each_run_has_figures_and_a_column(two_runs, tmp_path, monkeypatch):
    out = tmp_path / "results" / "nano_gates.json"
    measure(monkeypatch, out, *two_runs)
    runs = json.loads(out.read_text())["runs"]
    assert list(runs) == [folder.name for folder in two_runs]
    first, second = runs.values()
    assert first["attack_success"]["malicious"]["before"] == second["attack_success"]["malicious"]["before"]
    assert first["scores"] == second["scores"]
    assert all(rate["successes"] == rate["n"] for rate in second["flagged_unsafe"].values())
    page = with_tables("<!-- table: nano_gates -->\n<!-- end -->", out.parent)
    assert all(f"`{name}`" in page for name in runs)


def test_two_folders_of_one_name_are_refused(two_runs, tmp_path, monkeypatch, capsys):
    same = tmp_path / "elsewhere" / two_runs[0].name
    shutil.copytree(two_runs[0], same)
    with pytest.raises(SystemExit):
        measure(monkeypatch, tmp_path / "x.json", two_runs[0], same)
    assert "names of their own" in capsys.readouterr().err
