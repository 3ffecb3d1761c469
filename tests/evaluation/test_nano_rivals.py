"""From a recipe to the tables: all methods trained alike over seeds, measured in text, pictures and sound and under attack."""

import json
import sys
from pathlib import Path

import pytest

from casa.baselines.methods import METHODS, method_of
from casa.evaluation import nano_paper_table, nano_rivals
from casa.evaluation.kinds import ADAPTIVE, MEAN_COLUMNS
from casa.evaluation.nano_rivals import ONCE, SEEDED, runs, tuned
from casa.evaluation.tables import with_tables
from casa.training.run_folder import RUN_FILE

NANO = Path(__file__).parents[2] / "recipes" / "nano.yaml"
FORMS = ("jailbreak and picture", "key phrase in picture", "spelled speech")
TABLES = ("table", "utility", "unrefused", "paired", "seeds")


def test_every_method_but_the_hubs_guard_is_trained_the_seeded_ones_once_a_seed():
    assert {*ONCE, *SEEDED} == {*METHODS, "casa", "casa_token_only"} - {"external_guard"}
    names = [name for name, _, _ in runs(["pretrained", "ssft"], [0, 1])]
    assert names == ["pretrained", "ssft_s0", "ssft_s1"]


def test_what_was_chosen_for_a_method_is_taken_and_casas_for_the_token_alone(tmp_path):
    (tmp_path / "tuning_casa.json").write_text(json.dumps({"chosen": {"beta": 2.0}}))
    assert tuned("casa", tmp_path) == tuned("casa_token_only", tmp_path) == {"beta": 2.0}
    assert tuned("ssft", tmp_path) == {}


@pytest.fixture(scope="module")
def trained(tiny_base_folder, tmp_path_factory):
    """One step of every method that has seeds, three seeds each, beside the undefended model."""
    folder = tmp_path_factory.mktemp("rivals")
    (folder / "tuning_ssft.json").write_text(json.dumps({"chosen": {"learning_rate": 1e-3}}))
    fields = [
        *("--base_model", str(tiny_base_folder), "--max_train_examples", "40", "--max_steps", "1", "--dev_limit", "2"),
        *("--per_device_train_batch_size", "4", "--max_prompt_tokens", "300", "--max_response_tokens", "4"),
        *("--lora_r", "2", "--attention_epochs", "0", "--report_to", "none", "--benign_answers", "data"),
    ]
    words = ["--runs", str(folder / "runs"), "--tuned", str(folder), "--methods", "pretrained", *SEEDED, *fields]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["x", str(NANO), *words])
        nano_rivals.main()
    return folder / "runs"


def test_runs_differ_in_method_seed_and_what_was_tuned_alone(trained):
    claims = {path.parent.name: json.loads(path.read_text()) for path in trained.glob(f"*/{RUN_FILE}")}
    assert set(claims) == {"pretrained", *(f"{method}_s{seed}" for method in SEEDED for seed in range(3))}
    alike = claims["casa_s0"]
    assert alike["training"]["learning_rate"] != 1e-3
    for name, claim in claims.items():
        own = {"seed": int(name[-1])} if name[-1].isdigit() else {}
        own |= {"learning_rate": 1e-3} if name.startswith("ssft") else {}
        assert claim["training"] == alike["training"] | own and claim["recipe"] == alike["recipe"]
        assert name.startswith(method_of(trained / name))


def test_the_whole_table_is_measured_and_drawn(trained, tiny_casa_folder, tmp_path, monkeypatch):
    """Three seeds, all forms, the adaptive column with SSFT and circuit breaker in it, and a shipped model as one more row."""
    out = tmp_path / "results" / "nano_paper_table.json"
    shipped = tiny_casa_folder.rename(tiny_casa_folder.with_name("shipped"))
    folders = [str(path) for path in sorted(trained.iterdir()) if not path.name.startswith("casa_token_only")]
    options = [
        *("--limit", "1", "--max-new-tokens", "4", "--latency-prompts", "1", "--out", str(out), "--forms", *FORMS),
        *("--adaptive", "1", "--adaptive-steps", "1", "--adaptive-candidates", "4", "--work", str(tmp_path / "work")),
    ]
    monkeypatch.setattr(sys, "argv", ["x", *folders, str(shipped), *options])
    nano_paper_table.main()
    result = json.loads(out.read_text())

    assert result["mean_columns"] == list(MEAN_COLUMNS)
    assert set(result["seeds"]) == {"casa", "ssft", "circuit_breaker"}
    defences = result["defences"]
    assert len(defences) == 11 and defences["shipped"]["training"] is None
    assert defences["ssft_s2"]["training"] == {"steps": 1, "seed": 2}
    for name, found in defences.items():
        assert found["attack_success"][ADAPTIVE]["n"] == found["mean_attack_success"]["n"] == 1
        assert set(found["refused_by_medium"]) == set(found["first_token_ms"]) == {"text", "picture", "speech"}
        assert found["utility"]["right"]["n"] == 1
        is_casa = found["method"] == "casa"
        assert (found["against_casa"] is None) == is_casa == (found["against_ssft"] is not None)
        if not is_casa and name != "pretrained":
            assert found["against_casa"]["run"] == f"casa_s{name[-1]}"
    assert defences["casa_s1"]["against_ssft"]["run"] == "ssft_s1"
    assert defences["shipped"]["against_ssft"]["run"] == "ssft_s0"
    assert "mean_attack_success_above_casa" in result["seeds"]["ssft"]

    blocks = "\n".join(f"<!-- table: nano_paper_{name} -->\n<!-- end -->" for name in TABLES)
    page = with_tables(blocks, out.parent)
    for block in page.split("<!-- end -->")[: len(TABLES)]:
        rows = [line for line in block.splitlines() if line.startswith("|")]
        assert len(rows) > 3 and len({row.count("|") for row in rows}) == 1
    assert f"{ADAPTIVE}: success %" in page and "ROUGE-L, speech" in page
    assert "| shipped | `casa` | as shipped, with a budget of its own |" in page
    assert "| ssft_s2 | `ssft` | 1 steps, seed 2 |" in page
