"""Every method gets as many trials on the dev split, and the best is chosen among those that answer benign queries."""

import json
import sys
from pathlib import Path

import pytest

from casa.evaluation import nano_tuning
from casa.evaluation.nano_tuning import TRIALS, chosen, trial_folder
from casa.evaluation.tables import with_tables
from casa.training.run_folder import RUN_FILE

NANO = Path(__file__).parents[2] / "recipes" / "nano.yaml"


def trial(number, success, unanswered):
    return {
        "settings": {"number": number},
        "mean_attack_success": {"value": success},
        "benign_unanswered": {"rate": unanswered},
    }


def test_the_best_trial_answers_benign_queries():
    trials = [trial(0, 0.5, 0.1), trial(1, 0.2, 0.2), trial(2, 0.0, 0.9)]
    assert chosen(trials, 0.2)["settings"] == {"number": 1}
    assert chosen(trials, 0.15)["settings"] == {"number": 0}
    assert chosen(trials, 0.05)["settings"] == {"number": 0}, "none does, so the one that answers most"


def test_every_method_has_as_many_trials_of_its_own():
    assert {len(trials) for trials in TRIALS.values()} == {6}
    folders = [trial_folder(Path("runs"), method, settings) for method in TRIALS for settings in TRIALS[method]]
    assert len(set(folders)) == len(folders)
    assert all(set(folder.name) <= set("abcdefghijklmnopqrstuvwxyzN_.-0123456789") for folder in folders)


def test_trials_are_trained_once_measured_on_dev_and_written(tiny_base_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(
        nano_tuning,
        "TRIALS",
        {
            "ssft": [{"learning_rate": 1e-3}, {"learning_rate": 1e-4, "beta": 2.0}],
            "circuit_breaker": [{"reroute_layers": [1, 2]}],
            "casa": [{"beta": 2.0}],
            "probe": [{"probe_strength": None}, {"probe_strength": 0.1}],
        },
    )
    fields = [
        *("--base_model", str(tiny_base_folder), "--max_train_examples", "40", "--max_steps", "1", "--dev_limit", "2"),
        *("--per_device_train_batch_size", "4", "--max_prompt_tokens", "300", "--max_response_tokens", "4"),
        *("--lora_r", "2", "--attention_epochs", "0", "--report_to", "none", "--benign_answers", "data"),
    ]
    arguments = ["--limit", "2", "--max-new-tokens", "4", "--most-lost", "1", "--runs", str(tmp_path / "runs")]
    out = tmp_path / "results" / "sweeps"
    monkeypatch.setattr(sys, "argv", ["x", str(NANO), *arguments, "--out", str(out), *fields])
    nano_tuning.main()
    results = {path.stem: json.loads(path.read_text()) for path in out.iterdir()}
    assert set(results) == {f"tuning_{method}" for method in nano_tuning.TRIALS}
    for method, trials in nano_tuning.TRIALS.items():
        result = results[f"tuning_{method}"]
        assert result["split"] == "dev" and result["chosen"] in trials
        assert [one["settings"] for one in result["trials"]] == trials
        assert all(one["mean_attack_success"]["n"] == one["benign_unanswered"]["n"] == 2 for one in result["trials"])
    assert results["tuning_ssft"]["trials"][0]["steps"] == results["tuning_casa"]["trials"][0]["steps"] == 1
    claim = json.loads((tmp_path / "runs" / "ssft_learning_rate_0.0001_beta_2.0" / RUN_FILE).read_text())
    assert claim["training"]["learning_rate"] == 1e-4 and claim["casa"]["beta"] == 2.0
    claim = json.loads((tmp_path / "runs" / "circuit_breaker_reroute_layers_1-2" / RUN_FILE).read_text())
    assert claim["method"]["reroute_layers"] == [1, 2]

    monkeypatch.setattr(nano_tuning, "load_defence", lambda _: pytest.fail("a trial is measured again"))
    nano_tuning.main()
    page = with_tables("<!-- table: tuning_ssft -->\n<!-- end -->", tmp_path / "results")
    assert "| undefended |  |  |" in page and page.count("chosen") == 1
