"""Whole training runs on clips of sines: they learn, and a killed one goes on as if nothing had happened."""

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

from casa.errors import CasaError
from casa.nano.audio.train import run
from sines import SHAPE, write_sines

RECIPE = Path(__file__).parents[3] / "recipes" / "nano_audio.yaml"


def overrides(clips, start_file, output, *more):
    return [
        *("--clips", str(clips), "--start", str(start_file), "--output_dir", str(output), "--bf16", "False"),
        *("--per_device_train_batch_size", "8", "--num_train_epochs", "40", "--warmup_steps", "10"),
        *("--learning_rate", "3e-3", "--projection_learning_rate", "1e-2", "--logging_steps", "20"),
        *("--save_steps", "20", "--eval_steps", "100", *more),
    ]


def weights(folder):
    return load_file(folder / "tower.safetensors")


def assert_same(left, right):
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)


@pytest.fixture(scope="module")
def whole(sine_clips, start_file, tmp_path_factory):
    output = tmp_path_factory.mktemp("whole")
    run(RECIPE, overrides(sine_clips, start_file, output), SHAPE)
    return output


def test_it_learns_to_tell_tones_apart(whole):
    summary = json.loads((whole / "summary.json").read_text())
    assert summary["losses"][-1]["ctc"] < 0.4 * summary["losses"][0]["ctc"]
    assert summary["losses"][-1]["pull"] < 0.7 * summary["losses"][0]["pull"]
    assert summary["dev"]["eval_word_error_rate"] < 0.9


def test_a_finished_run_leaves_tower_summary_and_logs(whole):
    names = set(weights(whole))
    assert {"blank", "proj.weight", "ln_post.bias", "layers.2.fc1.weight"} <= names
    assert not any(name.startswith(("layers.0", "conv")) for name in names)
    assert all(value.dtype == torch.bfloat16 for value in weights(whole).values())
    summary = json.loads((whole / "summary.json").read_text())
    assert {"command", "commit", "seed", "environment", "curve", "dev", "recipe"} <= summary.keys()
    assert [row["step"] for row in summary["curve"]] == [100, 200]
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = EventAccumulator(str(next(whole.rglob("events.out.tfevents*")).parent)).Reload()
    scalars = {"train/loss", "train/ctc", "train/pull", "train/scale", "eval/word_error_rate", "eval/letter_error_rate"}
    assert scalars <= set(log.Tags()["scalars"])


def test_a_run_in_parts_ends_with_the_same_weights(whole, sine_clips, start_file, tmp_path):
    command = overrides(sine_clips, start_file, tmp_path)
    assert run(RECIPE, [*command, "--minutes", "0.01"], SHAPE) is None
    assert not (tmp_path / "tower.safetensors").exists()
    assert run(RECIPE, command, SHAPE)["steps"] == 200
    assert_same(weights(tmp_path), weights(whole))


def test_a_killed_run_ends_with_the_same_weights(whole, sine_clips, start_file, tmp_path):
    command = overrides(sine_clips, start_file, tmp_path)
    code = f"from pathlib import Path; from casa.nano.audio.train import run; run(Path({str(RECIPE)!r}), {command}, {SHAPE})"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "checkpoint-60").exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert run(RECIPE, command, SHAPE)["steps"] == 200
    assert_same(weights(tmp_path), weights(whole))


def test_a_further_run_starts_where_the_earlier_one_ended(whole, sine_clips, start_file, tmp_path):
    more = ("--tower", str(whole / "tower.safetensors"), "--max_steps", "20", "--warmup_steps", "0")
    further = run(RECIPE, overrides(sine_clips, start_file, tmp_path / "further", *more), SHAPE)
    earlier = json.loads((whole / "summary.json").read_text())
    losses = earlier["losses"]
    assert further["runs_before"] == [{name: value for name, value in earlier.items() if name != "runs_before"}]
    assert further["losses"][0]["ctc"] < 2 * losses[-1]["ctc"] < losses[0]["ctc"]


def test_a_further_run_may_have_more_layers_and_more_clips(whole, sine_clips, start_file, tmp_path):
    write_sines(tmp_path / "more", 16, seed=9)
    more = ("--tower", str(whole / "tower.safetensors"), "--max_steps", "20", "--warmup_steps", "0")
    more += ("--added_layers", "1", "--more_clips", str(tmp_path / "more"))
    further = run(RECIPE, overrides(sine_clips, start_file, tmp_path / "further", *more), SHAPE)
    earlier = json.loads((whole / "summary.json").read_text())
    assert further["losses"][0]["ctc"] < 2 * earlier["losses"][-1]["ctc"]
    assert further["clips"]["train"] == earlier["clips"]["train"] + 16
    trained = weights(tmp_path / "further")
    assert trained["layers.3.fc2.weight"].abs().max() > 0 and "layers.2.fc2.weight" in trained


def test_a_tower_of_another_shape_is_refused(whole, sine_clips, start_file, tmp_path):
    more = ("--tower", str(whole / "tower.safetensors"), "--layers", "1")
    with pytest.raises(CasaError, match="does not fit"):
        run(RECIPE, overrides(sine_clips, start_file, tmp_path, *more), SHAPE)


def test_a_finished_run_is_not_trained_again(whole, sine_clips, start_file):
    before = (whole / "summary.json").read_text()
    assert run(RECIPE, overrides(sine_clips, start_file, whole), SHAPE) == json.loads(before)


def test_a_folder_of_another_run_is_left_alone(whole, sine_clips, start_file):
    with pytest.raises(CasaError, match="another run"):
        run(RECIPE, overrides(sine_clips, start_file, whole, "--layers", "1"), SHAPE)


def test_missing_clips_are_an_error_that_says_where_to_look(start_file, tmp_path):
    with pytest.raises(CasaError, match=r"train/settings\.json.*GPU\.md"):
        run(RECIPE, overrides(tmp_path / "none", start_file, tmp_path / "out"), SHAPE)
