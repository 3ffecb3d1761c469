"""`python -m casa.nano.audio.train RECIPE --clips FOLDER [--field value]`: trains the end of casa-nano's audio tower.

FOLDER holds the folders `train` and `dev` of clips. States that are not cached yet are cached first. Interrupt it (even with
`kill -9`) and give the same command again: on the same machine it ends with the same weights.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from casa.errors import CasaError
from casa.hashing import sha256_of
from casa.nano.audio.arguments import AudioRecipe, AudioTrainingArguments
from casa.nano.audio.whisper import TINY_EN
from casa.nano.speech.clips import SETTINGS
from casa.provenance import provenance
from casa.training.recipe import SUMMARY_FILE
from casa.training.run_folder import runs_before, write_claim
from casa.training.yaml_fields import parse_recipe

_TRAINING = (
    "learning_rate",
    "projection_learning_rate",
    "weight_decay",
    "warmup_steps",
    "num_train_epochs",
    "max_steps",
)
_SHAPE = ("per_device_train_batch_size", "gradient_accumulation_steps", "seed")


def run(path: Path, overrides: list[str], shape: dict[str, int] = TINY_EN) -> dict[str, Any] | None:
    """Trains by a recipe; resumes if a checkpoint is there.

    Args:
        path: the recipe.
        overrides: command-line words, `--field value`.
        shape: of the encoder.

    Returns:
        A summary; that of the finished run if the same recipe was run before; None if the training ended early by `minutes`.

    Raises:
        CasaError: recipe or data are malformed, or the folder belongs to another run.
    """
    begun = time.monotonic()
    recipe, training = parse_recipe(path, overrides, (AudioRecipe, AudioTrainingArguments))
    output = Path(str(training.output_dir))
    write_claim(output, _claim(recipe, training))
    if (finished := output / SUMMARY_FILE).is_file():
        earlier: dict[str, Any] = json.loads(finished.read_text(encoding="utf-8"))
        return earlier
    deadline = math.inf if training.minutes is None else begun + 60 * training.minutes
    summary = _trained(recipe, training, output, shape, deadline)
    if summary is not None:
        finished.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return summary


def _claim(recipe: AudioRecipe, training: AudioTrainingArguments) -> dict[str, Any]:
    """What a run is made of."""
    clips = {split: Path(recipe.clips) / split / SETTINGS for split in ("train", "dev")}
    clips |= {folder: Path(folder) / SETTINGS for folder in recipe.more_clips}
    if lacking := [str(file) for file in (*clips.values(), Path(recipe.start)) if not file.is_file()]:
        raise CasaError(f"missing: {', '.join(lacking)}; see the audio rows of recipes/GPU.md")
    fields = {name: value for name, value in asdict(recipe).items() if name not in ("clips", "start")}
    return {
        "recipe": fields,
        "training": {name: getattr(training, name) for name in (*_TRAINING, *_SHAPE)},
        "clips": {split: json.loads(file.read_text(encoding="utf-8")) for split, file in clips.items()},
        "start": sha256_of(Path(recipe.start)),
    }


def _trained(
    recipe: AudioRecipe, training: AudioTrainingArguments, output: Path, shape: dict[str, int], deadline: float
) -> dict[str, Any] | None:
    import torch
    from transformers import set_seed

    from casa.nano.audio.batches import StateClips
    from casa.nano.audio.features import cache_states
    from casa.nano.audio.head import UpperEncoder, load_encoder, save_tower
    from casa.nano.audio.objective import PieceObjective
    from casa.nano.audio.read import jiwer
    from casa.nano.audio.start import read_start
    from casa.nano.audio.trainer import AudioTask, AudioTrainer

    jiwer()  # if it is missing, that is told now, not at the first evaluation
    start = read_start(Path(recipe.start))

    def cached(folder: Path) -> tuple[Path, Path]:
        encoder = Path(recipe.start)
        return folder, cache_states(folder, encoder, recipe.layers, training.device, training.bf16, shape=shape)

    train, held_out = (Path(recipe.clips) / split for split in ("train", "dev"))
    clips = StateClips([cached(folder) for folder in (train, *map(Path, recipe.more_clips))], start.labels)
    dev = StateClips([cached(held_out)], start.labels, recipe.dev_limit)
    set_seed(training.seed)
    upper = UpperEncoder(shape, recipe.layers, start.embeddings.shape[1], recipe.added_layers)
    load_encoder(upper, start.encoder)
    with torch.no_grad():  # nearly all vectors are blanks, so training starts there
        upper.proj.bias.copy_(start.blank)
    objective = PieceObjective(start.embeddings, start.blank, recipe.pull_weight, recipe.sampled_pieces)
    if recipe.tower:
        _take_over(Path(recipe.tower), upper, objective)
    task = AudioTask(upper, objective, recipe.noise)
    trainer = AudioTrainer(task, clips, dev, start.labels, training, deadline)
    if not trainer.run():
        return None
    metrics = trainer.evaluate()
    save_tower(output, upper, objective.blank, objective.log_scale)
    history = trainer.state.log_history
    return {
        **provenance(training.device, training.seed),
        "recipe": asdict(recipe),
        "clips": {"train": len(clips), "dev": len(dev), "hours": sum(c.seconds for c in clips.clips) / 3600},
        "pieces": len(start.labels.pieces),
        "steps": trainer.state.global_step,
        "dev": metrics,
        "curve": list({row["step"]: row for row in history if "eval_word_error_rate" in row}.values()),
        "losses": [{name: row[name] for name in ("step", "loss", "ctc", "pull")} for row in history if "ctc" in row],
        "runs_before": runs_before(Path(recipe.tower).with_name(SUMMARY_FILE) if recipe.tower else None),
    }


def _take_over(tower: Path, upper: Any, objective: Any) -> None:
    """Goes on from an earlier run's tower.

    Raises:
        CasaError: the file is missing, or it is of another shape.
    """
    from safetensors.torch import load_file

    from casa.nano.audio.head import BLANK_NAME, SCALE_NAME, load_upper

    if not tower.is_file():
        raise CasaError(f"{tower} is missing; name the tower.safetensors of a finished run")
    weights = load_file(tower)
    load_upper(upper, weights)
    objective.load_state_dict({name: weights[name] for name in (BLANK_NAME, SCALE_NAME)})


def main() -> None:
    """Entry; see `--help`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    options, overrides = parser.parse_known_args()
    summary = run(options.recipe, overrides)
    console = Console()
    if summary is None:
        console.print("not finished: the same command goes on")
    else:
        console.print_json(data=summary["dev"])


if __name__ == "__main__":
    main()
