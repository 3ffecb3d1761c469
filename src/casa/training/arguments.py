"""transformers' TrainingArguments with defaults that fit CASA, and its three learning rates."""

from __future__ import annotations

from dataclasses import dataclass

from transformers import TrainingArguments


@dataclass
class CasaTrainingArguments(TrainingArguments):
    """Arguments of the Trainer.

    Attributes:
        learning_rate: of the LoRA adapters.
        token_learning_rate: of the two safety tokens' rows.
        attention_learning_rate: of safety attention.
        attention_weight_decay: of safety attention's projections; keeps its scores from growing without bound.
        (all others): as in transformers.
    """

    output_dir: str | None = "runs/train"
    learning_rate: float = 2e-4
    token_learning_rate: float = 5e-4
    attention_learning_rate: float = 5e-4
    attention_weight_decay: float = 0.1
    per_device_train_batch_size: int = 16
    num_train_epochs: float = 2.0
    warmup_steps: float = 0.05
    lr_scheduler_type: str = "cosine"
    max_grad_norm: float = 1.0
    logging_steps: float = 10
    save_steps: float = 50
    save_total_limit: int | None = 2
    eval_strategy: str = "steps"
    eval_steps: float | None = 100
    report_to: str = "tensorboard"
    remove_unused_columns: bool = False
    logging_nan_inf_filter: bool = False
    seed: int = 0

    @property
    def step_batch_size(self) -> int:
        """Examples a step, on all ranks and in all accumulated batches together."""
        return self.per_device_train_batch_size * self.gradient_accumulation_steps * self.world_size
