"""Whole runs of a tiny tower: they end with all files, and a killed or stopped one ends with the same weights."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniVisionEncoder

from casa.errors import CasaError
from casa.nano.vision.batches import TrainingBatches
from casa.nano.vision.read import Reader
from casa.nano.vision.recipe import VisionRecipe
from casa.nano.vision.tower import encode, tower_config
from casa.nano.vision.train import CHECKPOINT_FILE, Training, run_vision
from casa.nano.vision.vocabulary import Vocabulary
from casa.training.yaml_fields import parse_recipe

RECIPE = Path(__file__).parents[3] / "recipes" / "nano_vision.yaml"


def overrides(output: Path, *more: str) -> list[str]:
    return [
        *("--output_dir", str(output), "--depth", "2", "--hidden_size", "64", "--intermediate_size", "64"),
        *("--steps", "6", "--strip_steps", "3", "--cells_per_batch", "36", "--dev_strips", "16", "--dev_pages", "4"),
        *("--workers", "0", "--log_steps", "2", "--dev_steps", "4", "--save_steps", "2", *more),
    ]


def same(one: Path, other: Path) -> bool:
    files = ("tower.safetensors", "heads.safetensors")
    pairs = [(load_file(one / name), load_file(other / name)) for name in files]
    return all(a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a) for a, b in pairs)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("whole")
    run_vision(RECIPE, overrides(output))
    return output


def test_a_finished_run_leaves_a_stock_tower_a_reader_a_summary_and_logs(uninterrupted, artist):
    weights = load_file(uninterrupted / "tower.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.bfloat16}
    config = json.loads((uninterrupted / "config.json").read_text())
    Qwen2_5OmniVisionEncoder(tower_config(2, 64, 64, 576)).load_state_dict(weights)
    assert config["out_hidden_size"] == 576 and config["window_size"] == 112 and config["fullatt_block_indexes"] == [1]
    batch = TrainingBatches(VisionRecipe(output_dir=""), artist)[0]
    assert len(Reader.from_folder(uninterrupted).read(batch.pictures)) == len(batch.pictures)
    summary = json.loads((uninterrupted / "summary.json").read_text())
    assert {"command", "commit", "seed", "environment", "recipe", "parameters", "seen", "dev_seen"} <= summary.keys()
    assert [point["step"] for point in summary["curve"]] == [4, 6] and summary["dev"] == summary["curve"][-1]
    assert summary["seen"]["pictures"] > 6
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tags = set(EventAccumulator(str(uninterrupted)).Reload().Tags()["scalars"])
    assert {"train/total", "train/pull", "dev/strips/characters", "dev/pages/pieces"} <= tags


def test_a_run_that_was_killed_resumes_to_the_same_weights(uninterrupted, tmp_path):
    arguments = overrides(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "casa.nano.vision.train", str(RECIPE), *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
    )
    deadline = time.monotonic() + 300
    while not (tmp_path / CHECKPOINT_FILE).exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "tower.safetensors").exists(), "it was killed before it had finished"
    run_vision(RECIPE, arguments)
    assert same(tmp_path, uninterrupted)


def test_a_run_that_ends_by_the_clock_goes_on_with_the_same_command(uninterrupted, tmp_path):
    arguments = overrides(tmp_path, "--max_minutes", "0")
    stops = 0
    while run_vision(RECIPE, arguments) is None:
        stops += 1
    assert stops == 5, "each had time for one step"
    assert same(tmp_path, uninterrupted)
    assert [point["step"] for point in json.loads((tmp_path / "summary.json").read_text())["curve"]] == [4, 6]


def test_workers_draw_the_same_pictures(uninterrupted, tmp_path):
    run_vision(RECIPE, overrides(tmp_path, "--workers", "2"))
    assert same(tmp_path, uninterrupted)


def test_a_finished_run_is_not_run_again_and_its_folder_is_no_other_runs(uninterrupted):
    assert run_vision(RECIPE, overrides(uninterrupted, "--log_steps", "1"))["steps"] == 6
    with pytest.raises(CasaError, match="another run"):
        run_vision(RECIPE, overrides(uninterrupted, "--seed", "1"))


def test_a_further_run_begins_with_an_earlier_ones_tower_and_heads(uninterrupted, tmp_path):
    recipe = parse_recipe(RECIPE, overrides(tmp_path, "--tower_run", str(uninterrupted)), (VisionRecipe,))[0]
    reader = Reader.from_folder(uninterrupted)
    training = Training(recipe, reader.vocabulary, torch.device("cpu"), reader)
    earlier = load_file(uninterrupted / "tower.safetensors")
    assert all(torch.equal(tensor, earlier[name].float()) for name, tensor in training.tower.state_dict().items())
    heads = load_file(uninterrupted / "heads.safetensors")
    assert all(torch.equal(tensor, heads[name]) for name, tensor in training.heads.state_dict().items())


def test_a_further_run_may_have_more_neurons_and_more_pieces_and_begins_with_the_same_outputs(uninterrupted, tmp_path):
    fields = overrides(tmp_path, "--tower_run", str(uninterrupted), "--intermediate_size", "256")
    recipe = parse_recipe(RECIPE, fields, (VisionRecipe,))[0]
    reader = Reader.from_folder(uninterrupted)
    more = Vocabulary(reader.vocabulary.tokenizer, (*reader.vocabulary.ids, 48_000))
    grown = Training(recipe, more, torch.device("cpu"), reader).reader
    picture = torch.randint(0, 256, (1, 56, 84, 3), dtype=torch.uint8)
    before, after = encode(reader.tower, picture), encode(grown.tower, picture)
    assert torch.allclose(before.cells, after.cells, atol=1e-5)
    assert torch.allclose(reader.heads.piece_logits(before), grown.heads.piece_logits(after)[..., :-1], atol=1e-4)
    assert grown.tower.blocks[0].mlp.up_proj.weight.shape[0] == 256


def test_a_further_run_tells_how_the_earlier_tower_was_made(uninterrupted, tmp_path):
    summary = run_vision(RECIPE, overrides(tmp_path, "--tower_run", str(uninterrupted)))
    earlier = json.loads((uninterrupted / "summary.json").read_text())
    (before,) = summary["runs_before"]
    assert (before["curve"], before["steps"]) == (earlier["curve"], earlier["steps"]) and earlier["runs_before"] == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((), "no finished run"),
        (("--hidden_size", "128"), "another shape"),
        (("--intermediate_size", "32"), "another shape"),
    ],
)
def test_a_run_cannot_go_on_from_an_unfinished_one_or_one_of_another_shape(uninterrupted, tmp_path, fields, message):
    run = uninterrupted if fields else tmp_path / "none"
    with pytest.raises(CasaError, match=message):
        run_vision(RECIPE, overrides(tmp_path / "new", "--tower_run", str(run), *fields))


def test_a_training_that_blows_up_stops_and_keeps_its_last_checkpoint(tmp_path):
    with pytest.raises(RuntimeError, match="non-finite"):
        run_vision(RECIPE, overrides(tmp_path, "--learning_rate", "1e30", "--warmup_steps", "0"))
    assert not (tmp_path / "tower.safetensors").exists()
