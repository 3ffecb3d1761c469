"""The curve of v_s comes from the newest checkpoint's log."""

import json
import sys

import pytest

from casa.errors import CasaError
from casa.evaluation import nano_v_s
from casa.evaluation.nano_v_s import training_log


def checkpoint(run, step, lines):
    folder = run / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "trainer_state.json").write_text(json.dumps({"log_history": lines}))


def line(step, malicious, benign):
    return {"step": step, "loss": 1.0, "v_s_malicious": malicious, "v_s_benign": benign}


def test_the_newest_log_is_written_as_a_curve(tmp_path, monkeypatch):
    run, out = tmp_path / "run", tmp_path / "results" / "x.json"
    checkpoint(run, 90, [line(10, 0.5, 0.5)])
    checkpoint(run, 100, [line(10, 0.5, 0.5), {"step": 10, "eval_x": 1}, line(100, 0.9, 0.1)])
    (run / "run.json").write_text(json.dumps({"training": {"seed": 7}}))
    monkeypatch.setattr(sys, "argv", ["x", str(run), "--out", str(out)])
    nano_v_s.main()
    result = json.loads(out.read_text())
    assert result["steps"] == [10, 100] and result["seed"] == 7
    assert (result["v_s_malicious"], result["v_s_benign"]) == ([0.5, 0.9], [0.5, 0.1])


def test_a_folder_without_a_log_of_v_s_is_told(tmp_path):
    with pytest.raises(CasaError, match="holds no checkpoint"):
        training_log(tmp_path)
    checkpoint(tmp_path, 10, [{"step": 10, "loss": 1.0}])
    with pytest.raises(CasaError, match="holds no v_s"):
        training_log(tmp_path)
