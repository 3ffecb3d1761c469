"""Whole training runs on a tiny model: they end, they learn, and a killed one goes on as if nothing had happened."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from casa import CasaModel
from casa.errors import CasaError, CheckpointError, UnsafeStateError
from casa.method.config import CasaConfig
from casa.method.tokens import SafetyTokens
from casa.model.checkpoint import read_config, write_config
from casa.training.balanced_trainer import newest_checkpoint
from casa.training.recipe import read_recipe, run_recipe
from casa.training.run_folder import claim_of
from casa.training.trainer import CasaTrainer

NANO = Path(__file__).parents[2] / "recipes" / "nano.yaml"


def overrides(base: Path, output: Path, *more: str) -> list[str]:
    return [
        *("--base_model", str(base), "--output_dir", str(output), "--benign_answers", "data"),
        *("--max_train_examples", "48", "--per_device_train_batch_size", "8", "--num_train_epochs", "2"),
        *("--save_steps", "2", "--eval_steps", "4", "--dev_limit", "2", "--logging_steps", "2", "--lora_r", "2"),
        *("--max_prompt_tokens", "400", "--max_response_tokens", "8", *more),
    ]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    names = ("adapter_model.safetensors", "safety_attention.safetensors")
    return {f"{name}:{key}": value for name in names for key, value in load_file(folder / name).items()}


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


@pytest.fixture(scope="module")
def uninterrupted(tiny_base_folder, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("whole")
    run_recipe(NANO, overrides(tiny_base_folder, output))
    return output


def test_a_finished_run_is_a_loadable_model_with_a_summary_and_logs(uninterrupted):
    assert CasaModel.from_pretrained(uninterrupted).classify([{"role": "user", "content": "hi"}])
    assert (uninterrupted / "summary.json").is_file()
    events = list(uninterrupted.rglob("events.out.tfevents*"))
    assert events
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = EventAccumulator(str(events[0].parent)).Reload()
    assert {
        "train/loss",
        "train/verdict",
        "train/response",
        "train/risk",
        "eval/auroc_p_unsafe_malicious_benign",
    } <= set(log.Tags()["scalars"])
    assert {"v_s/malicious", "v_s/benign", "v_s/lookalike"} <= set(log.Tags()["histograms"])


FROZEN = ("--learning_rate", "0", "--token_learning_rate", "0", "--attention_learning_rate", "0")


def test_training_moves_every_trained_weight(uninterrupted, tiny_base_folder, tmp_path):
    run_recipe(NANO, overrides(tiny_base_folder, tmp_path, "--max_steps", "1", *FROZEN))
    before, after = weights(tmp_path), weights(uninterrupted)
    unmoved = {key for key in after if torch.equal(before[key], after[key])}
    assert unmoved == {key for key in after if key.endswith("query_embedding")}


def killed_once(path_exists: Path, arguments: list[str]) -> None:
    """Starts a run in a process of its own and kills it (-9) as soon as a path is there."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from casa.cli import main; main()", "train", str(NANO), *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
    )
    deadline = time.monotonic() + 300
    while not path_exists.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("more", [(), ("--lora_dropout", "0.2")])
def test_a_run_that_was_killed_resumes_to_the_same_weights(uninterrupted, tiny_base_folder, tmp_path, more):
    """kill -9 once the second checkpoint is begun, so that the first is complete; the same command goes on from there."""
    run = overrides(tiny_base_folder, tmp_path / "killed", *more)
    killed_once(tmp_path / "killed" / "checkpoint-4", run)
    assert not (tmp_path / "killed" / "casa_config.json").is_file(), "it was killed before it had finished"
    assert newest_checkpoint(tmp_path / "killed", CasaTrainer.checkpoint_files) is not None
    run_recipe(NANO, run)
    if more:
        run_recipe(NANO, overrides(tiny_base_folder, tmp_path / "whole", *more))
    expected = weights(tmp_path / "whole" if more else uninterrupted)
    assert same(weights(tmp_path / "killed"), expected)


def test_a_run_that_was_killed_before_its_first_checkpoint_starts_alike(uninterrupted, tiny_base_folder, tmp_path):
    run = overrides(tiny_base_folder, tmp_path)
    killed_once(tmp_path / "run.json", run)
    assert newest_checkpoint(tmp_path, CasaTrainer.checkpoint_files) is None
    run_recipe(NANO, run)
    assert same(weights(tmp_path), weights(uninterrupted))


def test_a_finished_run_is_not_run_again(uninterrupted, tiny_base_folder):
    before = weights(uninterrupted)
    summary = run_recipe(NANO, overrides(tiny_base_folder, uninterrupted))
    assert summary["throughput"]["examples_per_second"] > 0
    assert same(weights(uninterrupted), before)


def test_a_folder_of_another_run_is_refused(uninterrupted, tiny_base_folder):
    with pytest.raises(CasaError, match="another run"):
        run_recipe(NANO, overrides(tiny_base_folder, uninterrupted, "--gate", "scale"))


@pytest.mark.parametrize(
    ("field", "value"),
    [("lr_scheduler_type", "linear"), ("warmup_steps", "0.5"), ("max_grad_norm", "9"), ("bf16", "true")],
)
def test_a_run_belongs_to_the_way_it_steps(tmp_path, field, value):
    def claim(*more):
        return claim_of(*read_recipe(NANO, ["--output_dir", str(tmp_path), "--use_cpu", "true", *more]))

    assert claim(f"--{field}", value) != claim()
    assert json.loads(json.dumps(claim())) == claim(), "it is compared with what was written"


@pytest.mark.parametrize("changed", [0, 1])
def test_data_files_of_one_name_are_told_apart(tmp_path, changed):
    files = [tmp_path / name / "queries.jsonl" for name in ("one", "two")]
    for file in files:
        file.parent.mkdir()
        file.write_text("{}")
    fields = ["--train_files", *map(str, files), "--output_dir", str(tmp_path / "run"), "--use_cpu", "true"]
    before = claim_of(*read_recipe(NANO, fields))
    files[changed].write_text("{ }")
    assert claim_of(*read_recipe(NANO, fields)) != before


def test_a_training_whose_loss_is_no_number_stops(tiny_base_folder, tmp_path):
    with pytest.raises(UnsafeStateError, match="not finite"):
        run_recipe(NANO, overrides(tiny_base_folder, tmp_path, "--token_learning_rate", "1e38", "--max_grad_norm", "0"))
    assert not (tmp_path / "casa_config.json").is_file()


def test_a_checkpoint_that_a_kill_left_incomplete_is_passed_over(uninterrupted, tmp_path):
    import shutil

    complete = newest_checkpoint(uninterrupted, CasaTrainer.checkpoint_files)
    shutil.copytree(complete, tmp_path / "checkpoint-4")
    shutil.copytree(complete, tmp_path / "checkpoint-6")
    (tmp_path / "checkpoint-6" / "trainer_state.json").write_text("{")
    assert newest_checkpoint(tmp_path, CasaTrainer.checkpoint_files).name == "checkpoint-4"
    assert not (tmp_path / "checkpoint-6").exists()
    assert newest_checkpoint(tmp_path / "nowhere", CasaTrainer.checkpoint_files) is None


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (["--colour", "red"], "unknown field"),
        (["--gate", "multiply"], "gate"),
        (["--tau", "0"], "tau"),
        (["--safety_tokens", "words"], "safety_tokens"),
        (["--lora_r", "0", "--jailbreak_share", "1.5"], r"jailbreak_share must be in \[0, 1\]; .*lora_r"),
    ],
)
def test_an_unknown_field_or_value_is_named(override, message):
    with pytest.raises(CasaError, match=message):
        read_recipe(NANO, override)


@pytest.mark.parametrize("content", ["- a\n- b", "a: [", ""])
def test_a_malformed_recipe_is_refused(tmp_path, content):
    path = tmp_path / "recipe.yaml"
    path.write_text(content)
    with pytest.raises(CasaError, match="recipe"):
        read_recipe(path, [])


def test_every_shipped_recipe_can_be_read():
    adapters = [path for path in NANO.parent.glob("*.yaml") if not path.stem.startswith("nano_")]  # the rest are towers
    for path in adapters:
        recipe, config, training = read_recipe(path, ["--use_cpu", "true"])  # bfloat16 is refused without a GPU
        assert recipe.base_model and config.gate == "log" and training.output_dir


def test_query_descriptions_come_from_a_recipe_as_one_text_or_several(tmp_path):
    path, rest = tmp_path / "recipe.yaml", "base_model: casa-nano\n"
    for written, found in (('"an unsafe query"', "an unsafe query"), ("[a crime, harm]", ["a crime", "harm"])):
        path.write_text(f"{rest}query_description: {written}\n")
        assert read_recipe(path, [])[1].query_description == found
    path.write_text(rest)
    assert read_recipe(path, [])[1] == CasaConfig()
    assert read_recipe(path, ["--query_description", "x y"])[1].query_description == "x y"


def test_an_override_wins_over_the_recipe():
    _, config, training = read_recipe(NANO, ["--gate", "scale", "--learning_rate", "0.5"])
    assert config.gate == "scale" and training.learning_rate == 0.5


def test_a_run_can_go_on_from_a_trained_model(uninterrupted, tiny_base_folder, tmp_path):
    more = ("--init_from", str(uninterrupted), "--max_steps", "1", *FROZEN)
    run_recipe(NANO, overrides(tiny_base_folder, tmp_path, *more))
    assert same(weights(tmp_path), weights(uninterrupted))


def test_a_run_can_start_from_a_model_of_a_fine_tuned_variant(uninterrupted, tiny_base_folder, tmp_path):
    start = tmp_path / "start"
    shutil.copytree(uninterrupted, start)
    content = read_config(start)
    base = {**content["base_model"], "layers": "of a variant"}
    write_config(start, CasaConfig.from_dict(content["casa"]), base, SafetyTokens(**content["tokens"]))
    more = ("--init_from", str(start), "--max_steps", "1", *FROZEN)
    run_recipe(NANO, overrides(tiny_base_folder, tmp_path / "run", *more))
    assert same(weights(tmp_path / "run"), weights(uninterrupted))


def test_a_run_that_goes_on_with_other_query_descriptions_has_their_query(uninterrupted, tiny_base_folder, tmp_path):
    described = ("--query_description", "harm", "crime", "--max_steps", "1", *FROZEN)
    run_recipe(NANO, overrides(tiny_base_folder, tmp_path / "fresh", *described))
    run_recipe(NANO, overrides(tiny_base_folder, tmp_path / "on", "--init_from", str(uninterrupted), *described))
    fresh, on, before = (weights(folder) for folder in (tmp_path / "fresh", tmp_path / "on", uninterrupted))
    query = "safety_attention.safetensors:query_embedding"
    assert torch.equal(on[query], fresh[query]) and not torch.equal(on[query], before[query])
    assert CasaModel.from_pretrained(tmp_path / "on").config.query_description == ["harm", "crime"]


def test_a_run_can_train_with_existing_words_as_safety_tokens(tiny_base_folder, tmp_path):
    more = ("--safety_tokens", "existing", "--max_steps", "2")
    run_recipe(NANO, overrides(tiny_base_folder, tmp_path, *more))
    assert read_config(tmp_path)["tokens"] == {"safe": 2991, "unsafe": 20408}
    trained = load_file(tmp_path / "adapter_model.safetensors")
    assert trained and all("lora_" in name for name in trained)
    assert CasaModel.from_pretrained(tmp_path).classify([{"role": "user", "content": "safe?"}])


def test_going_on_from_a_model_of_another_base_is_refused(tiny_base_folder, tmp_path):
    with pytest.raises(CheckpointError, match="other weights"):
        run_recipe(NANO, overrides(tiny_base_folder, tmp_path, "--init_from", "casa-nano"))
