"""Training on two ranks (gloo, on the CPU) is training on one: the same losses, the same weights, one set of files."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from casa import CasaModel
from casa.training.balanced_trainer import newest_checkpoint
from casa.training.batches import BalancedBatches, RankBatches
from casa.training.recipe import BASE_ANSWERS_FILE, run_recipe
from casa.training.trainer import CasaTrainer

NANO = Path(__file__).parents[2] / "recipes" / "nano.yaml"
STEPS = 6


def fields(base: Path, output: Path, batch: int, *more: str) -> list[str]:
    """A short run with eight examples a step; half of them have a response, and those are the base model's own."""
    return [
        *("--base_model", str(base), "--output_dir", str(output), "--use_cpu", "true", "--max_steps", str(STEPS)),
        *("--max_train_examples", "48", "--per_device_train_batch_size", str(batch), "--response_share", "0.5"),
        *("--save_steps", "2", "--eval_steps", "3", "--dev_limit", "2", "--logging_steps", "1", "--lora_r", "2"),
        *("--max_prompt_tokens", "400", "--max_response_tokens", "8", "--attention_examples", "16", *more),
    ]


def launched(arguments: list[str], ranks: int = 2) -> None:
    """`torchrun -m casa train` with so many ranks on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        str(ranks),
        "--master-port",
        str(port),
    ]
    done = subprocess.run(
        [*command, "-m", "casa", "train", str(NANO), *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def losses(folder: Path) -> list[dict[str, float]]:
    """What each step logged of its loss and its parts."""
    state = json.loads((newest_checkpoint(folder, CasaTrainer.checkpoint_files) / "trainer_state.json").read_text())
    parts = ("loss", "verdict", "response", "risk", "v_s_malicious", "v_s_benign", "grad_norm")
    return [{name: line[name] for name in parts} for line in state["log_history"] if "loss" in line]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter_model.safetensors") | load_file(folder / "safety_attention.safetensors")


def require_same_weights(left: Path, right: Path) -> None:
    for name, value in weights(left).items():
        torch.testing.assert_close(value, weights(right)[name], rtol=1e-3, atol=1e-4, msg=lambda m, n=name: f"{n}: {m}")


@pytest.fixture(scope="module")
def one_rank(tiny_base_folder, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("one")
    run_recipe(NANO, fields(tiny_base_folder, output, 8))
    return output


@pytest.fixture(scope="module")
def two_ranks(tiny_base_folder, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("two")
    launched(fields(tiny_base_folder, output, 4))
    return output


def test_two_ranks_with_half_the_batch_each_give_the_loss_curve_of_one(one_rank, two_ranks):
    expected, found = losses(one_rank), losses(two_ranks)
    assert len(expected) == len(found) == STEPS
    for one, two in zip(expected, found, strict=True):
        assert two == pytest.approx(one, rel=1e-3, abs=1e-4)
    assert len({line["loss"] for line in expected}) == STEPS, "the losses differ from step to step"


def test_two_ranks_end_with_the_model_of_one_and_one_set_of_files(one_rank, two_ranks):
    require_same_weights(two_ranks, one_rank)
    assert CasaModel.from_pretrained(two_ranks).classify([{"role": "user", "content": "hi"}])
    assert json.loads((two_ranks / "run.json").read_text()) == json.loads((one_rank / "run.json").read_text()) | {
        "recipe": json.loads((two_ranks / "run.json").read_text())["recipe"]
    }
    one, two = ((folder / BASE_ANSWERS_FILE).read_text().splitlines() for folder in (one_rank, two_ranks))
    assert sorted(one) == sorted(two) and len(set(two)) == len(two), "every answer once"
    assert len(list(two_ranks.rglob("events.out.tfevents*"))) == len(list(one_rank.rglob("events.out.tfevents*")))


def test_a_run_of_two_ranks_goes_on_with_one_that_accumulates(one_rank, two_ranks, tiny_base_folder, tmp_path):
    for path in (*two_ranks.glob("checkpoint-4"), *two_ranks.glob("*.json*")):
        target = tmp_path / path.name
        shutil.copytree(path, target) if path.is_dir() else shutil.copy(path, target)
    (tmp_path / "summary.json").unlink()
    run_recipe(NANO, fields(tiny_base_folder, tmp_path, 2, "--gradient_accumulation_steps", "4"))
    require_same_weights(tmp_path, one_rank)
    for one, two in zip(losses(one_rank), losses(tmp_path), strict=True):
        assert two == pytest.approx(one, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize(("ranks", "accumulated"), [(1, 1), (2, 1), (1, 2), (2, 2), (4, 1)])
def test_a_step_holds_the_same_examples_however_it_is_shared_out(ranks, accumulated):
    labels = [i % 3 == 0 for i in range(60)]
    steps = BalancedBatches(labels, [i % 7 for i in range(60)], 8, epochs=2, seed=1)
    shares = [list(RankBatches(steps, rank, ranks, accumulated)) for rank in range(ranks)]
    for number, step in enumerate(steps):
        here = slice(number * accumulated, (number + 1) * accumulated)
        parts = [part for share in shares for part in share[here]]
        assert sorted(i for part in parts for i in part) == sorted(step)
        assert all(sum(labels[i] for i in part) == len(part) // 2 for part in parts)
    assert [len(RankBatches(steps, 0, ranks, accumulated))] == [len(shares[0])]


def test_a_step_that_cannot_be_shared_out_evenly_is_refused():
    steps = BalancedBatches([True, False] * 8, [0] * 16, 6, epochs=1, seed=0)
    with pytest.raises(ValueError, match="even parts"):
        RankBatches(steps, ranks=2)
