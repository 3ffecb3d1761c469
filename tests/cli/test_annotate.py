"""`casa annotate` goes from logs to a report, and each step says what comes next."""

import json

import pytest

from apps.annotation.studies import logs_of_two_methods, rate_all

from .conftest import json_lines


@pytest.fixture
def study(run, tmp_path):
    logs = logs_of_two_methods(tmp_path / "logs")
    result = run("annotate", "prepare", logs, tmp_path / "study.sqlite", "--prompts", 6, "--json")
    assert result.exit_code == 0, result.output
    return tmp_path / "study.sqlite"


def test_prepare_tells_what_was_chosen_and_what_comes_next(run, tmp_path):
    logs = logs_of_two_methods(tmp_path / "logs")
    result = run("annotate", "prepare", logs, tmp_path / "a.sqlite", "--prompts", 6, "--seed", 3)
    assert result.exit_code == 0, result.output
    assert "6 prompts x 2 methods" in result.stdout and "1 harmful, image" in result.stdout
    assert "Next: casa annotate serve" in result.stdout


def test_prepare_never_writes_over_a_study(run, study, tmp_path):
    result = run("annotate", "prepare", tmp_path / "logs", study)
    assert result.exit_code == 3 and "may hold ratings" in result.stderr


def test_a_rated_study_is_exported_and_reported(run, study, tmp_path):
    rate_all(study)
    (exported,) = json_lines(run("annotate", "export", study, tmp_path / "ratings.csv", "--json"))
    assert exported["rows"] == 3 * 13
    (found,) = json_lines(run("annotate", "report", study, "--out", tmp_path / "out", "--json"))
    assert [one["rubric"] for one in found["humans"]] == ["safety", "utility"]
    result = run("annotate", "report", study, "--out", tmp_path / "out")
    assert result.exit_code == 0 and "annotation.html" in result.stdout
    assert "only 6 answers have two ratings" in result.stderr


def test_serving_what_is_no_study_is_one_line(run, tmp_path):
    error = json.loads(run("annotate", "serve", tmp_path / "gone", "--json").stdout)["error"]
    assert "casa annotate prepare" in error["message"]


def test_serve_prints_every_raters_link_and_stays_on_this_machine(run, study, monkeypatch):
    server = pytest.importorskip("casa.apps.annotation.server")
    served = []
    monkeypatch.setattr(server, "serve", lambda *given: served.append(given))
    result = run("annotate", "serve", study, "--url", "https://study.example.org/")
    assert result.stdout.count("https://study.example.org/?rater=") == 3
    assert served == [(study, "127.0.0.1", 7860)]


@pytest.mark.parametrize("command", ["prepare", "serve", "export", "report"])
def test_help_shows_an_example(run, command):
    assert f"casa annotate {command} " in run("annotate", command, "--help").stdout
