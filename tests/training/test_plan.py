"""Dry runs: of every shipped recipe on a tiny config of its architecture, and of recipes with something wrong."""

import json
from pathlib import Path

import pytest
import torch

from casa.training.plan import plan_recipe
from casa.training.recipe import run_recipe
from families.checks import lacking
from families.every import FAMILIES

RECIPES = Path(__file__).parents[2] / "recipes"
NANO = RECIPES / "nano.yaml"
FAMILY = {  # of the base model that a recipe names
    "qwen2.5-omni": "Qwen2.5-Omni",
    "qwen2.5-vl": "Qwen2.5-VL",
    "qwen3-omni": "Qwen3-Omni",
    "gemma-3": "Gemma 3",
    "smolvlm2": "SmolVLM 2",
    "llava-onevision": "LLaVA-OneVision",
    "voxtral": "Voxtral",
}
REAL = sorted(path for path in RECIPES.glob("*.yaml") if not path.stem.startswith("nano"))
SEED = ("--train_files", "seed", "--max_train_examples", "64", "--max_prompt_tokens", "4096")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A tiny random model of each family on disk, by the family's name."""
    made = {}
    for family in FAMILIES:
        if family.name in FAMILY.values() and not lacking(family):
            base, processor = family.build()
            made[family.name] = tmp_path_factory.mktemp("family")
            base.save_pretrained(made[family.name])
            processor.save_pretrained(made[family.name])
    return made


def test_every_family_with_a_recipe_is_tried():
    assert {FAMILY[key] for path in REAL for key in FAMILY if path.stem.startswith(key)} == set(FAMILY.values())


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_a_recipe_passes_its_dry_run_on_a_tiny_model_of_its_architecture(path, folders, tmp_path):
    name = next(name for key, name in FAMILY.items() if path.stem.startswith(key))
    if name not in folders:
        pytest.skip(f"the processor of {name} needs a package that is not installed")
    plan = plan_recipe(path, [*SEED, "--base_model", str(folders[name]), "--output_dir", str(tmp_path)])
    assert plan.problems == []
    assert plan.shape.trainable > 0 and plan.shape.lora_layers["q_proj"] == 2
    assert plan.work.steps > 0 and sum(plan.examples.values()) == 64
    assert list(tmp_path.iterdir()) == []
    json.dumps(plan.as_json(), allow_nan=False)


def test_four_bits_take_less_memory_and_are_said_to_help_little_with_stacked_experts(folders, tmp_path):
    def notes(family):
        named = ("--base_model", str(folders[family]), "--output_dir", str(tmp_path), "--quantization", "4bit")
        plan = plan_recipe(NANO, [*SEED, *named])
        memory = plan.as_json()["memory_bytes"]
        assert memory["4 bits, no checkpointing"]["total"] < memory["unquantised, no checkpointing"]["total"]
        return [note for note in plan.notes if "4 bits save little" in note]

    assert not notes("Qwen2.5-Omni")
    assert notes("Qwen3-Omni")


def fields(base, output, *more):
    size = ("--max_train_examples", "24", "--per_device_train_batch_size", "4", "--attention_epochs", "0")
    return ["--base_model", str(base), "--output_dir", str(output), *size, "--benign_answers", "data", *more]


def test_examples_and_steps_are_those_of_the_run(tiny_base_folder, tmp_path):
    more = (
        "--max_response_tokens",
        "6",
        "--dev_limit",
        "2",
        "--eval_strategy",
        "no",
        "--gradient_accumulation_steps",
        "2",
    )
    arguments = fields(tiny_base_folder, tmp_path, *more, "--use_cpu", "true")
    plan = plan_recipe(NANO, arguments)
    summary = run_recipe(NANO, arguments)
    assert plan.work.steps == summary["steps"]
    assert {label: plan.examples[label] for label in ("malicious", "benign")} == summary["examples"]
    assert plan.examples["left out, prompt too long"] == summary["left_out"]["prompt_too_long"]


def test_a_run_with_checkpointing_in_bfloat16_ends(tiny_base_folder, tmp_path):
    """What the recipes of real models ask for, which the dry run cannot show."""
    more = ("--max_steps", "1", "--max_response_tokens", "4", "--dev_limit", "2", "--eval_strategy", "no")
    numbers = ("--dtype", "bfloat16", "--bf16", "true", "--gradient_checkpointing", "true", "--use_cpu", "true")
    summary = run_recipe(NANO, fields(tiny_base_folder, tmp_path, *more, *numbers))
    assert summary["steps"] == 1 and torch.tensor(list(summary["dev"].values())).isfinite().all()


def test_nothing_is_written_and_no_weights_are_needed(tiny_base_folder, tmp_path):
    without = tmp_path / "base"
    without.mkdir()
    for file in tiny_base_folder.iterdir():
        if file.suffix != ".safetensors":
            (without / file.name).write_bytes(file.read_bytes())
    assert plan_recipe(NANO, fields(without, tmp_path / "run")).problems == []
    assert not (tmp_path / "run").exists()


def test_all_problems_are_told_at_once(tmp_path):
    data = tmp_path / "data.jsonl"
    data.write_text('{"text": "hello", "label": "odd"}\n')
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text("{}")
    plan = plan_recipe(NANO, fields(tmp_path / "nowhere", run, "--train_files", str(data)))
    assert [problem.split(":")[0] for problem in plan.problems] == ["base model", "data", "output_dir"]
    assert "data.jsonl:1" in plan.problems[1]
    assert plan.shape is None and json.dumps(plan.as_json())


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (("--per_device_train_batch_size", "3"), "even"),
        (("--train_files", "nowhere.jsonl"), "nowhere.jsonl"),
        (("--max_prompt_tokens", "2"), "both benign and malicious"),
        (("--init_from", str(RECIPES)), "no CASA model"),
    ],
)
def test_a_wrong_value_is_a_problem(tiny_base_folder, tmp_path, more, problem):
    plan = plan_recipe(NANO, fields(tiny_base_folder, tmp_path, *more))
    assert any(problem in found for found in plan.problems)


def test_data_without_a_dev_split_are_a_problem(tiny_base_folder, tmp_path):
    rows = [
        {"text": f"{label} {i}", "label": label, "split": "train"}
        for label in ("malicious", "benign")
        for i in range(9)
    ]
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    plan = plan_recipe(NANO, fields(tiny_base_folder, tmp_path / "run", "--train_files", str(data)))
    assert any("dev split" in problem for problem in plan.problems)
