"""The Trainer: transformers' own, with CASA's step, learning rates, checkpoints and dev evaluation."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback

from casa.data.reading import Example
from casa.errors import UnsafeStateError
from casa.model.casa_model import CasaModel
from casa.model.checkpoint import ADAPTER_FILE, ATTENTION_FILE, CONFIG_FILE, load_trained_weights
from casa.training.arguments import CasaTrainingArguments
from casa.training.batches import BalancedBatches, ConditionalCollator, ConditionalDataset
from casa.training.dev import verdict_metrics
from casa.training.step import ConditionalTask

_STATE_FILE = "trainer_state.json"  # written last by the Trainer, so its presence means a complete checkpoint
CHECKPOINT_FILES = (CONFIG_FILE, ADAPTER_FILE, ATTENTION_FILE)


class CasaTrainer(Trainer):
    """Trains a CASA model.

    Args:
        casa: from `CasaModel.attach`.
        dataset: tokenized training examples.
        dev: dev queries by kind, classified at every evaluation.
        args: transformers' arguments and CASA's learning rates.
    """

    def __init__(
        self,
        casa: CasaModel,
        dataset: ConditionalDataset,
        dev: dict[str, list[Example]],
        args: CasaTrainingArguments,
    ) -> None:
        self.casa, self.dev = casa, dev
        for parameter in casa.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
        self._batches = BalancedBatches(
            [item.malicious for item in dataset.items],
            [item.rank for item in dataset.items],
            args.per_device_train_batch_size,
            math.ceil(args.num_train_epochs),
            args.seed,
        )
        args.num_train_epochs = 1.0  # the batch sampler goes through all epochs, so that resuming is one skip
        super().__init__(
            model=ConditionalTask(casa),
            args=args,
            train_dataset=dataset,
            eval_dataset=dataset,  # never iterated: `evaluate` classifies the dev queries
            data_collator=ConditionalCollator(casa.chat),
            callbacks=[_StopOnNonFinite()],
        )
        self._parts: list[dict[str, float]] = []
        self._evaluation_seconds = 0.0

    def run(self) -> dict[str, Any]:
        """Trains, from the newest complete checkpoint if there is one; returns steps and throughput (evaluations apart)."""
        checkpoint = newest_checkpoint(Path(str(self.args.output_dir)))
        tokens = sum(item.length for item in self.train_dataset.items)  # type: ignore[union-attr]
        result = self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        seconds = result.metrics["train_runtime"] - self._evaluation_seconds
        steps = self.state.global_step - (_step_of(checkpoint) if checkpoint else 0)
        examples = steps * self._train_batch_size * self.args.gradient_accumulation_steps
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
        """Batches in the balanced, reproducible order."""
        loader: DataLoader[Any] = DataLoader(
            self.train_dataset,  # type: ignore[arg-type]
            batch_sampler=self._batches,
            collate_fn=self.data_collator,
            num_workers=self.args.dataloader_num_workers,
        )
        return self.accelerator.prepare(loader)

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The conditional loss; its parts are averaged into the next log line."""
        parts = model(**inputs)
        self._parts.append({name: float(value) for name, value in parts.items() if name != "loss"})
        return parts["loss"]

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Adds the loss's parts and v_s by class to the Trainer's own log line."""
        if self._parts and "loss" in logs:
            logs.update({name: sum(p[name] for p in self._parts) / len(self._parts) for name in self._parts[0]})
            self._parts.clear()
        super().log(logs, *args, **kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Verdict metrics on the dev queries; histograms of v_s by class go to TensorBoard."""
        begun = time.perf_counter()
        self.casa.eval()
        metrics, risks = verdict_metrics(self.casa, self.dev, batch_size=2 * self.args.per_device_train_batch_size)
        self.casa.train()
        metrics = {f"eval_{name}": value for name, value in metrics.items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        for writer in self._tensorboard_writers():
            for kind, values in risks.items():
                writer.add_histogram(f"v_s/{kind}", torch.tensor(values), self.state.global_step)
        self._evaluation_seconds += time.perf_counter() - begun
        return metrics

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """AdamW (or what `optim` names) with one group each for LoRA, token rows and safety attention."""
        if self.optimizer is None:
            task: Any = self.model
            optimizer_class, options = self.get_optimizer_cls_and_kwargs(self.args, task)
            self.optimizer = optimizer_class(list(self._parameter_groups()), **options)
        return self.optimizer

    def _parameter_groups(self) -> Iterator[dict[str, Any]]:
        args: Any = self.args
        attention = list(self.casa.safety_attention.parameters())
        trained = [(n, p) for n, p in self.casa.model.named_parameters() if p.requires_grad]
        rows = [p for name, p in trained if "trainable_tokens" in name]
        lora = [p for name, p in trained if "trainable_tokens" not in name]
        matrices = [p for p in attention if p.ndim > 1]
        vectors = [p for p in attention if p.ndim <= 1]
        yield {"params": lora, "lr": args.learning_rate, "weight_decay": args.weight_decay}
        yield {"params": rows, "lr": args.token_learning_rate, "weight_decay": 0.0}
        yield {"params": matrices, "lr": args.attention_learning_rate, "weight_decay": args.attention_weight_decay}
        yield {"params": vectors, "lr": args.attention_learning_rate, "weight_decay": 0.0}

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        self.casa.save_pretrained(Path(output_dir or str(self.args.output_dir)))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        load_trained_weights(self.casa, Path(resume_from_checkpoint))

    def _tensorboard_writers(self) -> list[Any]:
        writers = (getattr(callback, "tb_writer", None) for callback in self.callback_handler.callbacks)
        return [writer for writer in writers if writer is not None]


class _StopOnNonFinite(TrainerCallback):
    """Ends a training whose loss is no number, before it overwrites a good checkpoint."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if logs and not math.isfinite(logs.get("loss", 0.0)):
            raise UnsafeStateError(f"the loss at step {state.global_step} is not finite; lower the learning rates")


def newest_checkpoint(folder: Path, files: Sequence[str] = CHECKPOINT_FILES) -> Path | None:
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
