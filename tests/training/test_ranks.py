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


def launched(arguments: list[str], *program: str) -> None:
    """`torchrun -m casa train`, or another program, with two ranks on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(port)]
    done = subprocess.run(
        [*torchrun, *(program or ("-m", "casa")), "train", str(NANO), *arguments],
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


def require_same_losses(left: Path, right: Path) -> None:
    found, expected = losses(left), losses(right)
    assert len(expected) == len(found) == STEPS
    for one, two in zip(found, expected, strict=True):
        assert one == pytest.approx(two, rel=1e-3, abs=1e-4)


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
    require_same_losses(two_ranks, one_rank)
    assert len({line["loss"] for line in losses(one_rank)}) == STEPS, "the losses differ from step to step"


def test_two_ranks_end_with_the_model_of_one_and_one_set_of_files(one_rank, two_ranks):
    require_same_weights(two_ranks, one_rank)
    assert CasaModel.from_pretrained(two_ranks).classify([{"role": "user", "content": "hi"}])
    assert (two_ranks / "run.json").read_text() == (one_rank / "run.json").read_text(), "the same run"
    one, two = ((folder / BASE_ANSWERS_FILE).read_text().splitlines() for folder in (one_rank, two_ranks))
    assert sorted(one) == sorted(two) and len(set(two)) == len(two), "every answer once"
    assert len(list(two_ranks.rglob("events.out.tfevents*"))) == len(list(one_rank.rglob("events.out.tfevents*")))


def up_to_step_4(run: Path, target: Path) -> Path:
    """A run's folder as it was when its fourth step was saved."""
    for path in (run / "checkpoint-4", run / "run.json", run / BASE_ANSWERS_FILE):
        shutil.copytree(path, target / path.name) if path.is_dir() else shutil.copy(path, target)
    return target


def test_a_run_of_two_ranks_goes_on_with_one_that_accumulates(one_rank, two_ranks, tiny_base_folder, tmp_path):
    up_to_step_4(two_ranks, tmp_path)
    run_recipe(NANO, fields(tiny_base_folder, tmp_path, 2, "--gradient_accumulation_steps", "4"))
    require_same_losses(tmp_path, one_rank)
    require_same_weights(tmp_path, one_rank)


def test_weights_shared_out_by_fsdp2_train_as_whole_ones_from_a_checkpoint_of_one_rank(
    one_rank, tiny_base_folder, tmp_path
):
    """And their own checkpoints hold what those of one rank hold."""
    up_to_step_4(one_rank, tmp_path)
    launched(fields(tiny_base_folder, tmp_path, 4), str(Path(__file__).parent / "sharded_on_cpu.py"))
    require_same_losses(tmp_path, one_rank)
    require_same_weights(tmp_path, one_rank)
    whole, shared = (
        torch.load(folder / "checkpoint-6" / "optimizer.pt", weights_only=True)["state"]
        for folder in (one_rank, tmp_path)
    )
    assert whole.keys() == shared.keys()
    for index, moments in whole.items():
        for name, value in moments.items():
            torch.testing.assert_close(shared[index][name], value, rtol=1e-2, atol=1e-4)


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
