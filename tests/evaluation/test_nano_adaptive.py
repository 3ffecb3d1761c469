"""The curve of an adaptive attack counts each query from the step that broke it."""

import json
import sys

from casa.attacks.adaptive import Attempt
from casa.baselines.folder import Saved, write_defence
from casa.evaluation import nano_adaptive, nano_noise
from casa.evaluation.adaptive import curve
from casa.model.checkpoint import read_config


def test_a_query_counts_from_the_step_that_broke_it():
    held = [Attempt(0, 2.0, False), Attempt(1, 1.5, False), Attempt(2, 1.0, False)]
    broken = [Attempt(0, 2.0, False), Attempt(1, -0.5, True)]
    never_caught = [Attempt(0, -2.0, True)]
    points = curve([held, broken, never_caught], steps=2)
    assert [point["broken"]["successes"] for point in points] == [1, 2, 2]
    assert all(point["broken"]["n"] == 3 for point in points)


def run(monkeypatch, tmp_path, model):
    out = tmp_path / "x.json"
    arguments = ["--model", str(model), "--limit", "2", "--steps", "2", "--candidates", "4"]
    monkeypatch.setattr(sys, "argv", ["x", *arguments, "--max-new-tokens", "3", "--out", str(out)])
    nano_adaptive.main()
    return json.loads(out.read_text())


def test_the_measurement_is_written(tiny_casa_folder, tmp_path, monkeypatch):
    result = run(monkeypatch, tmp_path, tiny_casa_folder)
    assert len(result["curve"]) == 3 and result["attack_success"]["n"] == 2
    assert result["curve"][-1]["broken"] == result["attack_success"], "an answer alone ends an attack"
    assert result["method"] == "casa" and "adapter_sha256" in result


def test_a_rival_is_attacked_by_the_same_command(tiny_casa_folder, tmp_path, monkeypatch):
    folder = tmp_path / "rival"
    folder.mkdir()
    write_defence(folder, Saved("safety_prompt", read_config(tiny_casa_folder)["base_model"], "Be careful."))
    result = run(monkeypatch, tmp_path, folder)
    assert result["method"] == "safety_prompt" and "defence_sha256" in result
    assert len(result["curve"]) == 3 and result["attack_success"]["n"] == 2
    assert result["curve"][-1]["broken"] == result["attack_success"], "an answer alone ends an attack"


def test_noise_is_measured_for_every_bound(tiny_casa_folder, tmp_path, monkeypatch):
    out = tmp_path / "x.json"
    arguments = ["--limit", "1", "--steps", "1", "--pixels", "1", "8", "--waveform", "0.01", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["x", "--model", str(tiny_casa_folder), *arguments])
    nano_noise.main()
    found = json.loads(out.read_text())["noise"]
    assert list(found["pixels"]["curves"]) == ["1", "8"]
    assert [point["step"] for point in found["pixels"]["curves"]["8"]] == [0, 1]
    assert all(c[0]["broken"]["n"] == 1 for noise in found.values() for c in noise["curves"].values())
