"""A Trainer of adapters: both classes in every batch, a loss in named parts, and runs that go on where they were killed."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn, optim
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback
from transformers.trainer import OPTIMIZER_NAME, SCHEDULER_NAME

from casa.errors import UnsafeStateError
from casa.training import ranks
from casa.training.arguments import CasaTrainingArguments
from casa.training.batches import BalancedBatches, ConditionalDataset, RankBatches
from casa.training.sharding import load_whole_state, whole_state

_STATE_FILE = "trainer_state.json"  # written last by the Trainer, so its presence means a complete checkpoint


class BalancedTrainer(Trainer):
    """transformers' Trainer on balanced batches in a reproducible order.

    A subclass says what is saved (`_save`, from `_whole_weights`), how it is loaded again (`_load_weights`), which files a
    checkpoint has, and with which learning rates what is trained (`_parameter_groups`).

    On several ranks the main one writes. Checkpoints hold whole weights and optimiser states, also where FSDP2 shares them out,
    so a run goes on with another number of ranks, sharded or not. (With DeepSpeed the optimiser's state is DeepSpeed's own.)

    Args:
        task: its forward takes a batch and returns the loss and its parts, by name.
        dataset: tokenized training examples.
        collate: makes batches of them.
        args: transformers' arguments.
        steps_an_epoch: None for as many as one pass over the larger class has.
        callbacks: transformers' own.
    """

    checkpoint_files: tuple[str, ...] = ()

    def __init__(
        self,
        task: nn.Module,
        dataset: ConditionalDataset,
        collate: Callable[..., dict[str, Any]],
        args: CasaTrainingArguments,
        steps_an_epoch: int | None = None,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        for parameter in task.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
        steps = BalancedBatches(
            [item.malicious for item in dataset.items],
            [item.rank for item in dataset.items],
            args.step_batch_size,
            math.ceil(args.num_train_epochs),
            args.seed,
            steps_an_epoch,
        )
        self._batches = RankBatches(steps, args.process_index, args.world_size, args.gradient_accumulation_steps)
        args.num_train_epochs = 1.0  # the batch sampler goes through all epochs, so that resuming is one skip
        super().__init__(
            model=task,
            args=args,
            train_dataset=dataset,
            eval_dataset=dataset,  # never iterated: what is evaluated are the dev queries
            data_collator=collate,
            callbacks=[_StopOnNonFinite(), *callbacks],
        )
        self._parts: list[dict[str, float]] = []
        self._evaluation_seconds = 0.0

    def run(self) -> dict[str, Any]:
        """Trains, from the newest complete checkpoint if there is one; returns steps and throughput (evaluations apart)."""
        with ranks.main_first():
            checkpoint = newest_checkpoint(Path(str(self.args.output_dir)), self.checkpoint_files)
        if checkpoint:
            self._load_weights(checkpoint)  # before they are shared out
        tokens = sum(item.length for item in self.train_dataset.items)  # type: ignore[union-attr]
        result = self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        seconds = result.metrics["train_runtime"] - self._evaluation_seconds
        steps = self.state.global_step - (_step_of(checkpoint) if checkpoint else 0)
        examples = steps * self.args.step_batch_size  # type: ignore[attr-defined]
        mean_tokens = tokens / len(self.train_dataset)  # type: ignore[arg-type]
        return {
            "steps": self.state.global_step,
            "throughput": {
                "seconds": seconds,
                "examples_per_second": examples / seconds,
                "tokens_per_second": examples * mean_tokens / seconds,
            },
        }

    def get_train_dataloader(self) -> DataLoader[Any]:
        """This rank's batches in the balanced, reproducible order; accelerate would hand out whole batches to ranks."""
        return DataLoader(
            self.train_dataset,  # type: ignore[arg-type]
            batch_sampler=self._batches,
            collate_fn=self.data_collator,
            num_workers=self.args.dataloader_num_workers,
        )

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The loss; its parts are averaged into the next log line."""
        parts = model(**inputs)
        self._parts.append({name: float(value) for name, value in parts.items() if name != "loss"})
        return parts["loss"]

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Adds the loss's parts, averaged over all ranks, to the Trainer's own log line."""
        if self._parts and "loss" in logs:
            parts = [part for found in ranks.from_all(self._parts) for part in found]
            logs.update({name: sum(p[name] for p in parts) / len(parts) for name in parts[0]})
            self._parts.clear()
        super().log(logs, *args, **kwargs)

    def create_optimizer(self, model: nn.Module | None = None) -> optim.Optimizer:
        """AdamW (or what `optim` names) on the parameter groups."""
        if self.optimizer is None:
            task: Any = self.model
            optimizer_class, options = self.get_optimizer_cls_and_kwargs(self.args, task)
            self.optimizer = optimizer_class(list(self._parameter_groups()), **options)
        return self.optimizer

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """The main process saves what is trained, whole."""
        weights = self._whole_weights()
        if self.args.should_save:
            self._save(output_dir, weights)
        ranks.wait()

    def _load_from_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: `run` has loaded the weights."""

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if not self.is_fsdp_enabled:
            super()._save_optimizer_and_scheduler(output_dir)
            return
        state = whole_state(self.optimizer)
        scheduler: Any = self.lr_scheduler
        if self.args.should_save:
            torch.save(state, Path(output_dir) / OPTIMIZER_NAME)
            torch.save(scheduler.state_dict(), Path(output_dir) / SCHEDULER_NAME)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None or not self.is_fsdp_enabled:
            super()._load_optimizer_and_scheduler(checkpoint)
            return
        states = [
            torch.load(Path(checkpoint) / name, "cpu", weights_only=True) for name in (OPTIMIZER_NAME, SCHEDULER_NAME)
        ]
        load_whole_state(self.optimizer, states[0])
        scheduler: Any = self.lr_scheduler
        scheduler.load_state_dict(states[1])

    def _whole_weights(self) -> Any:
        """What `_save` writes, where ranks hold parts of it; all of them take part."""
        return None

    def _load_weights(self, checkpoint: Path) -> None:
        """Loads what `_save` wrote."""
        raise NotImplementedError

    def _parameter_groups(self) -> Iterator[dict[str, Any]]:
        """What is trained, with learning rate and weight decay."""
        raise NotImplementedError


class _StopOnNonFinite(TrainerCallback):
    """Ends a training whose loss is no number, before it overwrites a good checkpoint."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if logs and not math.isfinite(logs.get("loss", 0.0)):
            raise UnsafeStateError(f"the loss at step {state.global_step} is not finite; lower the learning rates")


def newest_checkpoint(folder: Path, files: Sequence[str]) -> Path | None:
    """The newest checkpoint in a run's folder that holds `files`; incomplete ones (a killed save) are removed."""
    found = sorted(folder.glob("checkpoint-[0-9]*"), key=_step_of)
    for checkpoint in reversed(found):
        if _complete(checkpoint, files):
            return checkpoint
        shutil.rmtree(checkpoint)
    return None


def _complete(checkpoint: Path, files: Sequence[str]) -> bool:
    try:
        json.loads((checkpoint / _STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return all((checkpoint / name).is_file() for name in files)


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
