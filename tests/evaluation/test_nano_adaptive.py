"""The curve of an adaptive attack counts each query from the step that broke it."""

import json
import sys

from casa.attacks.adaptive import Attempt
from casa.evaluation import nano_adaptive, nano_noise
from casa.evaluation.adaptive import curve


def test_a_query_counts_from_the_step_that_broke_it():
    held = [Attempt(0, 0.9), Attempt(1, 0.8), Attempt(2, 0.7)]
    broken = [Attempt(0, 0.9), Attempt(1, 0.4)]
    never_caught = [Attempt(0, 0.1)]
    points = curve([held, broken, never_caught], 0.5, steps=2)
    assert [point["broken"]["successes"] for point in points] == [1, 2, 2]
    assert all(point["broken"]["n"] == 3 for point in points)


def test_the_measurement_is_written(tiny_casa_folder, tmp_path, monkeypatch):
    out = tmp_path / "x.json"
    arguments = ["--model", str(tiny_casa_folder), "--limit", "2", "--steps", "2", "--candidates", "4"]
    monkeypatch.setattr(sys, "argv", ["x", *arguments, "--max-new-tokens", "3", "--out", str(out)])
    nano_adaptive.main()
    result = json.loads(out.read_text())
    assert len(result["curve"]) == 3 and result["attack_success"]["n"] == 2
    assert result["mean_p_unsafe"]["after"] <= result["mean_p_unsafe"]["before"]


def test_noise_is_measured_for_every_bound(tiny_casa_folder, tmp_path, monkeypatch):
    out = tmp_path / "x.json"
    arguments = ["--limit", "1", "--steps", "1", "--pixels", "1", "8", "--waveform", "0.01", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["x", "--model", str(tiny_casa_folder), *arguments])
    nano_noise.main()
    found = json.loads(out.read_text())["noise"]
    assert list(found["pixels"]["curves"]) == ["1", "8"]
    assert [point["step"] for point in found["pixels"]["curves"]["8"]] == [0, 1]
    assert all(c[0]["broken"]["n"] == 1 for noise in found.values() for c in noise["curves"].values())
