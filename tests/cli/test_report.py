"""`casa report` writes four files, and tells problems and missing logs."""

import json

import pytest

from evaluation.report.logs import NANO, PLAIN, Asked, log, write
from evaluation.report.measured import FIGURES

from .conftest import json_lines

FILES = ["report.html", "report.md", "report.csv", "report.tex"]


@pytest.fixture
def logs(tmp_path):
    before = [Asked("a"), Asked("b"), Asked("c", complied=None)]
    after = [Asked("a", complied=False), Asked("b"), Asked("c", complied=False)]
    return write(tmp_path / "logs", log(PLAIN, "advbench", before), log(NANO, "advbench", after))


def test_four_files_are_written_and_problems_told(run, logs, tmp_path):
    result = run("report", logs, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert result.stdout.split() == [str(tmp_path / "out" / name) for name in FILES]
    assert "1 of 3 items could not be scored" in result.stderr
    assert all((tmp_path / "out" / name).stat().st_size for name in FILES)


def test_json_holds_rates_comparisons_and_problems(run, logs, tmp_path):
    (found,) = json_lines(run("report", logs, "--out", tmp_path / "out", "--json"))
    assert [file.rpartition("/")[2] for file in found["files"]] == FILES
    assert [row["n"] for row in found["rates"] if row["what"] == "attack success"] == [2, 3]
    (compared,) = found["compared"]
    assert (compared["pairs"], compared["reduction"], compared["paired"]["p"]) == (2, 0.5, 1.0)
    assert [problem["model"] for problem in found["problems"]] == [PLAIN]


def test_a_folder_without_logs_is_one_line_that_says_what_to_do(run, tmp_path):
    result = run("report", tmp_path, "--out", tmp_path / "out")
    assert result.exit_code == 3
    assert "holds no logs" in result.stderr and "casa eval --out" in result.stderr
    assert "Traceback" not in result.output and not (tmp_path / "out").exists()
    error = json.loads(run("report", tmp_path, "--json").stdout)["error"]
    assert error["type"] == "DataError"


def test_help_shows_an_example(run):
    assert "casa report runs/eval" in run("report", "--help").stdout


def test_without_a_folder_the_logs_of_casa_eval_and_what_was_measured_beside_them_are_taken(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "runs" / "eval", log(NANO, "advbench", [Asked("a")]))
    folder = tmp_path / "runs" / "eval" / "measured"
    folder.mkdir()
    (folder / "lengths.json").write_text(json.dumps({"model": "casa-nano", **FIGURES["lengths"]}))
    (tmp_path / "suffix.json").write_text(json.dumps({"model": "casa-nano", **FIGURES["suffix"]}))
    assert run("report").exit_code == 0
    text = (tmp_path / "runs" / "report" / "report.md").read_text()
    assert "Buried in long texts" in text and "An attacker with the weights" not in text
    assert run("report", "runs/eval", "suffix.json").exit_code == 0
    assert "An attacker with the weights" in (tmp_path / "runs" / "report" / "report.md").read_text()


def test_a_file_that_is_no_results_file_is_named(run, logs, tmp_path):
    (tmp_path / "x.json").write_text("{}")
    result = run("report", logs, tmp_path / "x.json", "--out", tmp_path / "out")
    assert result.exit_code == 3 and "x.json is no results file" in result.stderr
