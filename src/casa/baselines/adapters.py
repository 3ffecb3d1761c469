"""LoRA without safety tokens, and the Trainer of the defences that are such an adapter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torch import nn
from transformers import TrainerCallback

from casa.baselines.folder import DEFENCE_FILE, Saved, save_adapter
from casa.model.checkpoint import ADAPTER_FILE, load_adapter
from casa.model.targets import lora_targets
from casa.training.arguments import CasaTrainingArguments
from casa.training.balanced_trainer import BalancedTrainer
from casa.training.batches import ConditionalCollator, ConditionalDataset
from casa.training.recipe import Recipe


def with_lora(base: Any, recipe: Recipe, layers: int | None = None) -> Any:
    """A PEFT model with a fresh adapter, shaped as the recipe says, like CASA's.

    Args:
        base: the base model, changed in place.
        recipe: its rank, scale and dropout.
        layers: only so many of the decoder's layers from the first get one; None for all.
    """
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(**recipe.lora, target_modules=lora_targets(base, layers), bias="none")
    return get_peft_model(base, config)


class AdapterTask(nn.Module):
    """An objective of an adapter; its forward takes a batch and returns the loss and its parts, by name.

    Args:
        model: the PEFT model that is trained.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    @property
    def base_model(self) -> Any:
        """The MLLM itself, with the adapter inside."""
        return self.model.get_base_model()

    def gradient_checkpointing_enable(self, **options: Any) -> None:
        """Recomputes activations in the backward pass, to save memory."""
        self.base_model.gradient_checkpointing_enable(**options)
        self.base_model.enable_input_require_grads()


class AdapterTrainer(BalancedTrainer):
    """Trains an adapter without safety tokens.

    Args:
        task: the method's objective.
        dataset: tokenized training examples.
        collate: makes batches of them.
        args: transformers' arguments; nothing is evaluated while training.
        steps_an_epoch: as many as CASA takes.
        saved: what a checkpoint says of itself.
        callbacks: transformers' own.
    """

    checkpoint_files = (DEFENCE_FILE, ADAPTER_FILE)

    def __init__(
        self,
        task: AdapterTask,
        dataset: ConditionalDataset,
        collate: ConditionalCollator,
        args: CasaTrainingArguments,
        steps_an_epoch: int,
        saved: Saved,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        self.adapted, self.saved = task.model, saved
        super().__init__(task, dataset, collate, args, steps_an_epoch, callbacks)

    def _parameter_groups(self) -> Iterator[dict[str, Any]]:
        args: Any = self.args
        trained = [p for p in self.adapted.parameters() if p.requires_grad]
        yield {"params": trained, "lr": args.learning_rate, "weight_decay": args.weight_decay}

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        save_adapter(Path(output_dir or str(self.args.output_dir)), self.adapted, self.saved)

    def _load_weights(self, checkpoint: Path) -> None:
        load_adapter(self.adapted, checkpoint)
