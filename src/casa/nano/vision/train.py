"""`python -m casa.nano.vision.train RECIPE [--field value]`: trains casa-nano's vision tower from scratch to read.

Interrupt it (even with `kill -9`) and give the same command again: on the same machine it ends with the same weights.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch.nn.utils import clip_grad_norm_
from torch.utils.data import DataLoader
from torch.utils.tensorboard import SummaryWriter

from casa.errors import CasaError
from casa.nano.pictures.fonts import Family, families_of
from casa.nano.vision.batches import Artist, Batch, TrainingBatches, dev_batches
from casa.nano.vision.kernels import training_attention
from casa.nano.vision.objective import Losses, ReadingHeads, reading_loss
from casa.nano.vision.optimizers import make_optimizers, make_schedules
from casa.nano.vision.read import CONFIG_FILE, HEADS_FILE, TOWER_FILE, VOCABULARY_FILE, Reader
from casa.nano.vision.recipe import SETTINGS_OF_THE_MACHINE, VisionRecipe
from casa.nano.vision.tower import build_tower, encode, grow, tower_config
from casa.nano.vision.vocabulary import Vocabulary, class_embeddings, extended, load_tokenizer, read_vocabulary
from casa.provenance import provenance
from casa.training.recipe import SUMMARY_FILE
from casa.training.run_folder import runs_before, write_checkpoint, write_claim
from casa.training.yaml_fields import parse_recipe

CHECKPOINT_FILE = "checkpoint.pt"


class Training:
    """Everything that a step changes, and the step.

    Args:
        recipe: how to train.
        vocabulary: the pieces to read.
        device: where.
        earlier: tower and heads that it goes on from; None begins with random weights.

    Raises:
        CasaError: the earlier tower has another shape.
    """

    def __init__(
        self, recipe: VisionRecipe, vocabulary: Vocabulary, device: torch.device, earlier: Reader | None = None
    ) -> None:
        embeddings = class_embeddings(vocabulary)
        config = tower_config(recipe.depth, recipe.hidden_size, recipe.intermediate_size, embeddings.shape[1])
        self.recipe, self.device, self.step = recipe, device, 0
        self.tower = build_tower(config, recipe.seed).to(device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.heads = ReadingHeads(self.tower.merger.hidden_size, embeddings).to(device)
        self.reader = Reader(self.tower, self.heads, vocabulary)
        if earlier is not None:
            self._take_over(earlier)
        self.optimizers = make_optimizers(self.tower, self.heads, recipe)
        self.schedules = make_schedules(self.optimizers, recipe)
        self.seen: Counter[str] = Counter()
        self.curve: list[dict[str, Any]] = []
        self.seconds = 0.0

    def _take_over(self, earlier: Reader) -> None:
        try:
            grow(self.tower, earlier.tower)
        except CasaError as error:
            raise CasaError(f"the tower of {self.recipe.tower_run} has another shape: {error}") from error
        heads = earlier.heads.state_dict()
        heads["bias"] = torch.cat([heads["bias"], self.heads.bias[len(heads["bias"]) :]])
        self.heads.load_state_dict(heads)

    def learn(self, batch: Batch) -> Losses:
        """One step.

        Raises:
            RuntimeError: a gradient is not finite; the last checkpoint is untouched.
        """
        recipe, step = self.recipe, self.step
        with torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.bf16):
            with training_attention(self.device):
                encoded = encode(self.tower, batch.pictures)
            losses = reading_loss(
                self.heads, encoded, batch.targets, recipe.weights(step), recipe.sampled_pieces, seed=step
            )
        losses.total.backward()
        parameters = [*self.tower.parameters(), *self.heads.parameters()]
        clip_grad_norm_(parameters, self.recipe.max_grad_norm, error_if_nonfinite=True)
        for optimizer, schedule in zip(self.optimizers, self.schedules, strict=True):
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
        self.step += 1
        cells = batch.targets.pieces.numel()
        self.seen.update(pictures=len(batch.pictures), cells=cells, words=batch.words, left_out=batch.left_out)
        return Losses(*(part.detach() for part in losses))

    def _stateful(self) -> dict[str, Any]:
        parts = {"tower": self.tower, "heads": self.heads}
        parts |= {f"optimizer{i}": one for i, one in enumerate(self.optimizers)}
        return parts | {f"schedule{i}": one for i, one in enumerate(self.schedules)}

    def save(self, path: Path) -> None:
        """Writes a checkpoint; a kill while writing leaves the earlier one."""
        state = {name: part.state_dict() for name, part in self._stateful().items()}
        state |= {"step": self.step, "seen": dict(self.seen), "curve": self.curve, "seconds": self.seconds}
        write_checkpoint(path, state)

    def load(self, path: Path) -> None:
        """Goes on from a checkpoint."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        for name, part in self._stateful().items():
            part.load_state_dict(state[name])
        self.step, self.seen, self.curve = state["step"], Counter(state["seen"]), state["curve"]
        self.seconds = state["seconds"]

    def export(self, folder: Path) -> None:
        """Writes the tower (bfloat16), its config, the heads and the vocabulary."""
        weights = {name: tensor.to(torch.bfloat16).cpu() for name, tensor in self.tower.state_dict().items()}
        save_file(weights, folder / TOWER_FILE, metadata={"format": "pt"})
        save_file({name: tensor.cpu() for name, tensor in self.heads.state_dict().items()}, folder / HEADS_FILE)
        self.tower.config.to_json_file(folder / CONFIG_FILE)
        (folder / VOCABULARY_FILE).write_text(json.dumps(self.reader.vocabulary.ids) + "\n", encoding="utf-8")


def run_vision(path: Path, overrides: list[str]) -> dict[str, Any] | None:
    """Trains by a recipe, from the last checkpoint if there is one.

    Returns:
        The summary, that of the finished run if it was run before; None if the minutes were over first.

    Raises:
        CasaError: the recipe is malformed, the folder belongs to another run, or there are no fonts.
    """
    begun = time.monotonic()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    recipe: VisionRecipe = parse_recipe(path, overrides, (VisionRecipe,))[0]
    output = Path(recipe.output_dir)
    train, dev = families_of("train"), families_of("dev")
    write_claim(output, _made_of(recipe, (*train, *dev)))
    if (finished := output / SUMMARY_FILE).is_file():
        earlier: dict[str, Any] = json.loads(finished.read_text(encoding="utf-8"))
        return earlier
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_float32_matmul_precision("high")  # TensorFloat32 on a GPU; nothing changes on a CPU
    tower = _earlier_tower(recipe)
    vocabulary = read_vocabulary(load_tokenizer()) if tower is None else extended(tower.vocabulary)
    training = Training(recipe, vocabulary, device, tower)
    if (checkpoint := output / CHECKPOINT_FILE).is_file():
        training.load(checkpoint)
    measured = dev_batches(recipe, Artist(dev, "dev", vocabulary))
    artist = Artist(train, "train", vocabulary, recipe.scene_share)
    deadline = None if recipe.max_minutes is None else begun + 60 * recipe.max_minutes
    if not _go_on(training, TrainingBatches(recipe, artist), measured, deadline):
        print(f"stopped at step {training.step} of {recipe.steps}; the same command goes on", flush=True)
        return None
    training.export(output)
    before = Path(recipe.tower_run) / SUMMARY_FILE if recipe.tower_run else None
    summary = {**_summary(training, measured), "runs_before": runs_before(before)}
    finished.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return summary


def _earlier_tower(recipe: VisionRecipe) -> Reader | None:
    """What this run goes on from; it keeps the classes of its pieces, whatever the corpus has become since."""
    if not recipe.tower_run:
        return None
    run = Path(recipe.tower_run)
    if not (run / TOWER_FILE).is_file():
        raise CasaError(f"{run} is no finished run: it lacks {TOWER_FILE}")
    return Reader.from_folder(run)


def _go_on(training: Training, batches: TrainingBatches, dev: dict[str, list[Batch]], deadline: float | None) -> bool:
    """Trains to the end (true) or the deadline (false); either way a checkpoint is left."""
    recipe, output = training.recipe, Path(training.recipe.output_dir)
    loader: DataLoader[Batch] = DataLoader(
        batches,
        batch_size=None,
        sampler=range(training.step, recipe.steps),
        num_workers=recipe.workers,
        pin_memory=training.device.type == "cuda",
        prefetch_factor=4 if recipe.workers else None,
    )
    log = _Log(output, training)
    in_time = True
    for batch in islice(loader, recipe.steps - training.step):
        begun = time.monotonic()
        log.add(training.learn(batch.to(training.device)))
        last = training.step == recipe.steps
        in_time = last or deadline is None or time.monotonic() < deadline
        if training.step % recipe.log_steps == 0:
            log.losses()
        training.seconds += time.monotonic() - begun
        if training.step % recipe.dev_steps == 0 or last:
            log.dev(dev)
        if training.step % recipe.save_steps == 0 or last or not in_time:
            training.save(output / CHECKPOINT_FILE)
        if not in_time:
            break
    log.writer.close()
    return in_time


class _Log:
    """Losses and dev error rates, to the console and TensorBoard."""

    def __init__(self, output: Path, training: Training) -> None:
        self.training = training
        self.writer: Any = SummaryWriter(output, purge_step=training.step)
        self._parts: list[torch.Tensor] = []
        self._since, self._pictures = time.monotonic(), training.seen["pictures"]

    def add(self, losses: Losses) -> None:
        self._parts.append(torch.stack(losses))

    def losses(self) -> None:
        """Mean losses and speed since the last time."""
        now, pictures, step = time.monotonic(), self.training.seen["pictures"], self.training.step
        values = dict(zip(Losses._fields, torch.stack(self._parts).mean(0).tolist(), strict=True))
        values["difficulty"] = self.training.recipe.difficulty(step)
        values["pictures_per_second"] = (pictures - self._pictures) / (now - self._since)
        self._tell("train", values)
        self._parts.clear()
        self._since, self._pictures = now, pictures

    def dev(self, batches: dict[str, list[Batch]]) -> None:
        """Error rates on the dev pictures, a point on the learning curve."""
        point: dict[str, Any] = {"step": self.training.step, "cells": self.training.seen["cells"]}
        for kind, part in batches.items():
            point[kind] = self.training.reader.measure(part)._asdict()
            self._tell(f"dev/{kind}", point[kind])
        self.training.curve.append(point)

    def _tell(self, kind: str, values: dict[str, float]) -> None:
        step = self.training.step
        for name, value in values.items():
            self.writer.add_scalar(f"{kind}/{name}", value, step)
        told = "  ".join(f"{name} {value:.3g}" for name, value in values.items())
        print(f"step {step}  {kind}  {told}", flush=True)


def _made_of(recipe: VisionRecipe, families: tuple[Family, ...]) -> dict[str, Any]:
    """What a run's weights depend on."""
    kept = {name: value for name, value in asdict(recipe).items() if name not in SETTINGS_OF_THE_MACHINE}
    if not kept["tower_run"]:
        del kept["tower_run"]
    return {"recipe": kept, "fonts": {family.name: [file.name for file in family.files] for family in families}}


def _summary(training: Training, dev: dict[str, list[Batch]]) -> dict[str, Any]:
    outside = {
        kind: {"words": sum(b.words for b in part), "left_out": sum(b.left_out for b in part)}
        for kind, part in dev.items()
    }
    return {
        **provenance(training.device, training.recipe.seed),
        "recipe": asdict(training.recipe),
        "parameters": sum(p.numel() for p in training.tower.parameters()),
        "classes": len(training.reader.vocabulary),
        "steps": training.step,
        "seen": dict(training.seen),
        "dev_seen": outside,
        "seconds": training.seconds,
        "dev": training.curve[-1],
        "curve": training.curve,
    }


def main() -> None:
    """Entry; see `--help`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path, help="a YAML of VisionRecipe's fields, such as recipes/nano_vision.yaml")
    options, overrides = parser.parse_known_args()
    summary = run_vision(options.recipe, overrides)
    if summary is not None:
        print(json.dumps(summary["dev"], indent=2))


if __name__ == "__main__":
    main()
