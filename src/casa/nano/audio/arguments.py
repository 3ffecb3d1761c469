"""What the audio tower's training is told: the recipe's fields, and transformers' arguments with defaults that fit."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from transformers import TrainingArguments


@dataclass
class AudioRecipe:
    """What is trained, on what.

    Attributes:
        clips: folder with `train` and `dev`, which `python -m casa.nano.speech.clips` wrote.
        start: file that `python -m casa.nano.audio.start` wrote.
        tower: an earlier run's `tower.safetensors` to go on from; "" starts afresh.
        more_clips: further folders of training clips.
        layers: so many last layers of the encoder are trained, beside the final norm and the projection.
        added_layers: so many layers behind them are trained too.
        pull_weight: of the pull towards the expected embedding, see `objective.PieceObjective`.
        sampled_pieces: see `objective.PieceObjective`; None takes all pieces at every step, on a CPU at four times the time.
        noise: on encoder states, over their standard deviation.
        dev_limit: dev clips in the evaluations; None for all.
    """

    clips: str = field(metadata={"help": "folder with the folders train and dev of clips"})
    start: str = "runs/audio_start.safetensors"
    tower: str = ""
    more_clips: list[str] = field(default_factory=list)
    layers: int = 2
    added_layers: int = 0
    pull_weight: float = 0.1
    sampled_pieces: int | None = 1000
    noise: float = 0.1
    dev_limit: int | None = None


@dataclass
class AudioTrainingArguments(TrainingArguments):
    """Arguments of the Trainer.

    Attributes:
        learning_rate: of the encoder's last layers.
        projection_learning_rate: of the final norm, the projection and the blank vector.
        minutes: save and end after so many, caching included; the same command goes on. None trains to the end.
        (all others): as in transformers.
    """

    output_dir: str | None = "runs/audio"
    learning_rate: float = 3e-4
    projection_learning_rate: float = 1e-3
    minutes: float | None = None
    per_device_train_batch_size: int = 64
    per_device_eval_batch_size: int = 64
    num_train_epochs: float = 10.0
    weight_decay: float = 0.01
    warmup_steps: float = 500
    lr_scheduler_type: str = "cosine"
    max_grad_norm: float = 1.0
    bf16: bool = True
    logging_steps: float = 20
    save_steps: float = 200
    save_total_limit: int | None = 2
    eval_strategy: str = "steps"
    eval_steps: float | None = 500
    report_to: str = "tensorboard"
    remove_unused_columns: bool = False
    logging_nan_inf_filter: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        self.use_cpu = self.use_cpu or not torch.cuda.is_available()  # or bfloat16 is refused
        super().__post_init__()
