"""The Trainer of CASA: its step, learning rates, checkpoints and dev evaluation."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from casa.data.reading import Example
from casa.model.casa_model import CasaModel
from casa.model.checkpoint import (
    ADAPTER_FILE,
    ATTENTION_FILE,
    CONFIG_FILE,
    Weights,
    load_trained_weights,
    save,
)
from casa.training.arguments import CasaTrainingArguments
from casa.training.balanced_trainer import BalancedTrainer
from casa.training.batches import ConditionalCollator, ConditionalDataset
from casa.training.dev import verdict_metrics
from casa.training.sharding import readable, whole
from casa.training.step import ConditionalTask


class CasaTrainer(BalancedTrainer):
    """Trains a CASA model.

    Args:
        casa: from `CasaModel.attach`.
        dataset: tokenized training examples.
        dev: dev queries by kind, classified at every evaluation.
        args: transformers' arguments and CASA's learning rates.
    """

    checkpoint_files = (CONFIG_FILE, ADAPTER_FILE, ATTENTION_FILE)

    def __init__(
        self,
        casa: CasaModel,
        dataset: ConditionalDataset,
        dev: dict[str, list[Example]],
        args: CasaTrainingArguments,
    ) -> None:
        self.casa, self.dev = casa, dev
        super().__init__(ConditionalTask(casa), dataset, ConditionalCollator(casa.chat), args)

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> tuple[list[Any], Any]:
        """The batches of a step, each told how much of the whole step, on all ranks, has a response."""
        batches, items = super().get_batch_samples(*args, **kwargs)
        task: Any = self.accelerator.unwrap_model(self.model)
        mine = torch.stack([task.answered(batch["response_ids"], batch["malicious"]) for batch in batches])
        answered = self.accelerator.gather(mine.to(self.args.device)).mean()
        return [{**batch, "answered": answered} for batch in batches], items

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Verdict metrics on the dev queries; histograms of v_s by class go to TensorBoard."""
        begun = time.perf_counter()
        self.casa.eval()
        with readable(self.model):
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

    def _whole_weights(self) -> Weights:
        adapter = {name: whole(p) for name, p in self.casa.model.named_parameters() if p.requires_grad}
        attention = self.casa.safety_attention.state_dict(keep_vars=True)
        return Weights(adapter, {name: whole(tensor) for name, tensor in attention.items()})

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        save(self.casa, Path(output_dir or str(self.args.output_dir)), state_dict)

    def _load_weights(self, checkpoint: Path) -> None:
        load_trained_weights(self.casa, checkpoint)

    def _tensorboard_writers(self) -> list[Any]:
        writers = (getattr(callback, "tb_writer", None) for callback in self.callback_handler.callbacks)
        return [writer for writer in writers if writer is not None]
