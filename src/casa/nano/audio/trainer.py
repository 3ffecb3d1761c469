"""The Trainer of the audio tower: transformers' own, on cached states, with this tower's objective and dev error rates."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback

from casa.errors import UnsafeStateError
from casa.nano.audio.arguments import AudioTrainingArguments
from casa.nano.audio.batches import LengthBatches, StateClips, collate
from casa.nano.audio.head import UpperEncoder, vectors_of
from casa.nano.audio.labels import Labels
from casa.nano.audio.objective import PieceObjective
from casa.nano.audio.read import error_rates, transcripts
from casa.training.balanced_trainer import newest_checkpoint

_LONGEST_MASK = 3  # vectors, two frames each


class AudioTask(nn.Module):
    """The trained half of the tower and its objective; what the Trainer calls its model.

    Args:
        upper: the trained half.
        objective: with the blank vector, which is trained too.
        noise: standard deviation of the noise on states, over that of the states themselves.
    """

    def __init__(self, upper: UpperEncoder, objective: PieceObjective, noise: float) -> None:
        super().__init__()
        self.upper, self.objective, self.noise = upper, objective, noise

    def forward(
        self, states: Tensor, frames: Tensor, targets: Tensor, target_lengths: Tensor, seed: int
    ) -> dict[str, Tensor]:
        """Loss and its parts on a batch from `collate`; noise, masks and drawn pieces depend on `seed` alone."""
        disturbed = self._disturbed(states.float(), frames, seed)
        vectors = self.upper(disturbed, frames)
        loss = self.objective(vectors, vectors_of(frames), targets, target_lengths, seed)
        return {"loss": loss.total, "ctc": loss.ctc, "pull": loss.pull}

    def _disturbed(self, states: Tensor, frames: Tensor, seed: int) -> Tensor:
        """With noise everywhere, and one mask of 1 to 3 vectors on half the clips."""
        generator = torch.Generator(states.device).manual_seed(seed)

        def uniform() -> Tensor:
            return torch.rand(len(states), generator=generator, device=states.device)

        noise = torch.randn(states.shape, generator=generator, device=states.device)
        states = states + self.noise * states.std() * noise
        length = 2 * (1 + (uniform() * _LONGEST_MASK).long()) * (uniform() < 0.5)
        first = (uniform() * frames).long()
        place = torch.arange(states.shape[1], device=states.device)
        masked = (place >= first[:, None]) & (place < (first + length)[:, None])
        return states.masked_fill(masked[:, :, None], 0.0)


class AudioTrainer(Trainer):
    """Trains the upper half of the tower.

    Args:
        task: what is trained.
        clips: training clips.
        dev: clips of held-out voices and sentences.
        labels: the classes.
        args: transformers' arguments and the tower's own.
        deadline: when to save and end, on the clock of `time.monotonic`.
    """

    def __init__(
        self,
        task: AudioTask,
        clips: StateClips,
        dev: StateClips,
        labels: Labels,
        args: AudioTrainingArguments,
        deadline: float = math.inf,
    ) -> None:
        self.task, self.dev, self.labels = task, dev, labels
        epochs = math.ceil(args.num_train_epochs)
        self._batches = LengthBatches(clips.lengths, args.per_device_train_batch_size, epochs, args.seed)
        args.num_train_epochs = 1.0  # the batch sampler goes through all epochs, so that resuming is one skip
        self._parts: list[dict[str, Tensor]] = []
        super().__init__(
            model=task,
            args=args,
            train_dataset=clips,
            eval_dataset=dev,
            callbacks=[_StopOnNonFinite(), _StopInTime(deadline)],
        )

    def run(self) -> bool:
        """Trains, from the newest complete checkpoint if there is one; returns whether the last step is done."""
        checkpoint = newest_checkpoint(Path(str(self.args.output_dir)), files=("model.safetensors", "optimizer.pt"))
        self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        return self.state.global_step >= self.state.max_steps

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Batches in the reproducible order."""
        loader: DataLoader[Any] = DataLoader(
            self.train_dataset,  # type: ignore[arg-type]
            batch_sampler=self._batches,
            collate_fn=collate,
            num_workers=self.args.dataloader_num_workers,
            pin_memory=self.args.dataloader_pin_memory and torch.cuda.is_available(),
        )
        return self.accelerator.prepare(loader)

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The loss, seeded by the step; its parts are averaged into the next log line."""
        parts = model(**inputs, seed=self.args.seed * 1_000_003 + self.state.global_step)
        self._parts.append({name: value.detach() for name, value in parts.items() if name != "loss"})
        return parts["loss"]

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Adds the loss's parts and the scale of the logits to the Trainer's own log line."""
        if self._parts and "loss" in logs:
            logs.update({n: float(torch.stack([p[n] for p in self._parts]).mean()) for n in self._parts[0]})
            logs["scale"] = float(self.task.objective.log_scale.detach().exp())
            self._parts.clear()
        super().log(logs, *args, **kwargs)

    @torch.no_grad()
    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Error rates on the dev clips, by greedy reading."""
        self.task.eval()
        classes = self.task.objective.classes()
        with self.compute_loss_context_manager():
            heard = transcripts(self.task.upper, self.dev, classes, self.labels, self.args.per_device_eval_batch_size)
        self.task.train()
        clips = self.dev.clips
        rates = error_rates([clip.kind for clip in clips], [clip.transcript for clip in clips], [h.text for h in heard])
        metrics = {f"eval_{name}": value for name, value in rates.items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """AdamW (or what `optim` names): Whisper's layers at one rate, what starts afresh at another, vectors without decay."""
        if self.optimizer is None:
            args: Any = self.args
            optimizer_class, options = self.get_optimizer_cls_and_kwargs(args)
            layers = list(self.task.upper.layers.parameters())
            fresh = [*self.task.upper.ln_post.parameters(), *self.task.upper.proj.parameters()]
            fresh += list(self.task.objective.parameters())
            groups = [
                {"params": [p for p in params if (p.ndim > 1) == matrices], "lr": rate, "weight_decay": decay}
                for params, rate in ((layers, args.learning_rate), (fresh, args.projection_learning_rate))
                for matrices, decay in ((True, args.weight_decay), (False, 0.0))
            ]
            self.optimizer = optimizer_class(groups, **options)
        return self.optimizer


class _StopOnNonFinite(TrainerCallback):
    """Ends a training whose loss is no number, before it overwrites a good checkpoint."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if logs and not math.isfinite(logs.get("loss", 0.0)):
            raise UnsafeStateError(f"the loss at step {state.global_step} is not finite; lower the learning rates")


class _StopInTime(TrainerCallback):
    """Saves and ends a training at a deadline."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if time.monotonic() > self._deadline:
            control.should_save = control.should_training_stop = True
