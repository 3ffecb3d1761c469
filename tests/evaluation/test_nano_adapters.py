"""The learning curve over shipped adapters is read from the history, an entry an adapter."""

import json
import subprocess

import pytest

from casa.evaluation.nano_adapters import MEASURED, TRAINED, TRIALS, measured_adapters


@pytest.fixture
def commit(tmp_path):
    """`commit(adapter, rate, command)` adds one measurement to a repository, whose folder is `commit.folder`."""

    def git(*arguments):
        named = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *named, *arguments], check=True, capture_output=True)

    def add(adapter, rate, command):
        rates = {"malicious": {"after": rate}, "jailbroken": {"after": rate}}
        areas = {"malicious against benign": {"p_unsafe": {"value": 0.9}, "v_s": {"value": 0.8}}}
        measured = {"adapter_sha256": adapter, "attack_success": rates, "flagged_unsafe": {}, "auroc": areas}
        (tmp_path / MEASURED).write_text(json.dumps(measured))
        run = {"command": command, "examples": {"malicious": 2, "benign": 3}, "steps": 10}
        (tmp_path / TRAINED).write_text(json.dumps(run))
        git("add", "-A")
        git("commit", "-m", "m")

    (tmp_path / "results").mkdir()
    git("init")
    add.folder = tmp_path
    return add


def test_an_adapter_that_went_on_counts_the_steps_before_it(commit):
    commit("a", 0.3, "casa train x")
    commit("b", 0.2, "casa train x --init_from casa-nano")
    commit("b", 0.1, "casa train x --init_from casa-nano")
    commit("c", 0.4, "casa train y")
    found = measured_adapters(commit.folder)
    assert [entry["adapter_sha256"] for entry in found] == ["a", "b", "c"]
    assert [entry["total_steps"] for entry in found] == [10, 20, 10]
    assert [entry["attack_success"]["malicious"] for entry in found] == [0.3, 0.1, 0.4]
    assert found[0]["examples"] == 5 and found[0]["auroc"]["malicious against benign"] == {"p_unsafe": 0.9, "v_s": 0.8}


def test_steps_of_a_run_that_was_not_shipped_count_for_the_one_that_went_on_from_it(commit):
    commit("a", 0.3, "casa train x")
    trials = commit.folder / TRIALS
    trials.mkdir()
    runs = {"one": "--init_from casa-nano", "two": "--init_from runs/one", "other": "--init_from runs/elsewhere"}
    for name, start in runs.items():
        run = {"command": f"casa train x {start} --output_dir runs/{name}", "steps": 7}
        (trials / f"{name}.json").write_text(json.dumps(run))
    (trials / "measured.json").write_text(json.dumps({"command": "python -m casa.evaluation.nano_length"}))
    commit("b", 0.2, "casa train x --init_from runs/two")
    assert [entry["total_steps"] for entry in measured_adapters(commit.folder)] == [10, 34]
