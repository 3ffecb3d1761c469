import sys
from types import ModuleType

import pytest

from casa.errors import DataError

from .conftest import json_lines


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("name: x\n")
    return path


@pytest.fixture
def calls(monkeypatch):
    """Calls of a stand-in for `train_method`."""
    calls = []

    def train_method(method, path, overrides):
        calls.append((method, path, overrides))
        if "--broken" in overrides:
            raise DataError("no data")
        return {"folder": "runs/x", "loss": 0.5, "steps": {"done": 3}}

    module = ModuleType("casa.baselines.methods")
    module.train_method = train_method
    monkeypatch.setitem(sys.modules, "casa.baselines.methods", module)
    return calls


def test_fields_reach_the_recipe_and_json_does_not(run, recipe, calls):
    result = run("train", recipe, "--learning_rate", "1e-4", "--json", "--epochs=2")
    assert calls == [("casa", recipe, ["--learning_rate", "1e-4", "--epochs=2"])]
    assert json_lines(result) == [{"folder": "runs/x", "loss": 0.5, "steps": {"done": 3}}]


def test_another_method_is_named_by_an_option(run, recipe, calls):
    run("train", recipe, "--method", "ssft", "--lora_r", "4")
    assert calls == [("ssft", recipe, ["--lora_r", "4"])]


def test_the_summary_is_a_table_for_people(run, recipe, calls):
    result = run("train", recipe)
    assert "runs/x" in result.stdout
    assert '{"done": 3}' in result.stdout


def test_an_error_exits_with_3(run, recipe, calls):
    assert run("train", recipe, "--broken").exit_code == 3


def test_a_recipe_that_is_missing_is_wrong_usage(run, tmp_path):
    assert run("train", tmp_path / "none.yaml").exit_code == 2


def test_a_dry_run_prints_its_tables_and_trains_nothing(run, recipe, calls, tiny_base_folder, tmp_path):
    recipe.write_text(f"base_model: {tiny_base_folder}\noutput_dir: {tmp_path / 'out'}\nmax_train_examples: 16\n")
    result = run("train", recipe, "--dry-run")
    assert result.exit_code == 0, result.output
    for word in ("trainable", "q_proj", "activations", "A100 80 GB", "L40S"):
        assert word in result.stdout
    assert not calls and not (tmp_path / "out").exists()
    plan = json_lines(run("train", recipe, "--dry-run", "--json"))[0]
    assert plan["problems"] == [] and plan["gpus"]["H100 80 GB"]["fits"]


def test_a_dry_run_that_finds_something_wrong_lists_it_and_exits_with_3(run, recipe, calls, tmp_path):
    recipe.write_text(f"base_model: {tmp_path}\nlora_r: 4\ntrain_files: [{tmp_path / 'none.jsonl'}]\n")
    result = run("train", recipe, "--dry-run")
    assert result.exit_code == 3
    assert "base model:" in result.stderr and "none.jsonl" in result.stderr and "2 to mend" in result.stderr
    assert run("train", recipe, "--dry-run", "--lora_r", "0").exit_code == 3
    assert run("train", recipe, "--dry-run", "--method", "ssft").exit_code == 2
