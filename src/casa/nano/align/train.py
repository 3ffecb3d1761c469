"""`python -m casa.nano.align.train RECIPE [--field value]`: teaches casa-nano's language model to read pictures and sound.

It sees perfect embeddings, laid out as a picture's cells or a clip's frames, and learns to answer as it answers the same text; no
medium is needed, and no malicious query is in the data. Interrupted, the same command goes on from the last checkpoint.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from casa.cache import cache_root
from casa.data.reading import SEED_DATA, read_examples
from casa.errors import CasaError
from casa.method.config import CasaConfig
from casa.method.tokens import add_safety_tokens
from casa.model.attach import describe
from casa.model.bases import load_base, load_processor
from casa.model.checkpoint import ADAPTER_CONFIG_FILE, require_same_base, strip_paths
from casa.model.families import tokenizer_of
from casa.model.messages import ChatFormat
from casa.nano import NANO_NAME
from casa.nano.align.examples import FORMS, Form, Laid, Layouter
from casa.nano.align.instructions import Instructions
from casa.nano.align.media import Medium, Towers
from casa.nano.align.reader import Reader, measure
from casa.nano.align.recipe import AlignRecipe
from casa.nano.audio.head import BLANK_NAME, TOWER_FILE
from casa.nano.common import common_words
from casa.nano.language import load_smollm2, put_language
from casa.nano.sources import LANGUAGE_MODEL, packaged_file
from casa.nano.vision.read import HEADS_FILE
from casa.provenance import provenance
from casa.training.distill import base_answers
from casa.training.recipe import SUMMARY_FILE
from casa.training.run_folder import runs_before, write_checkpoint, write_claim
from casa.training.yaml_fields import parse_recipe

_TOGETHER = 2  # prompts of like length at a time: lengths differ fourfold, and padding is computed too
BLANKS_FILE, CHECKPOINT_FILE = "blanks.safetensors", "checkpoint.pt"


def run_align(path: Path, overrides: list[str]) -> dict[str, Any]:
    """Teaches by a recipe; goes on from the last checkpoint. Returns the summary.

    Raises:
        CasaError: the recipe is malformed, or the folder belongs to another run.
    """
    recipe: AlignRecipe = parse_recipe(path, overrides, (AlignRecipe,))[0]
    output = Path(recipe.output_dir)
    write_claim(output, {name: value for name, value in asdict(recipe).items() if name != "output_dir"})
    made = {**provenance(torch.device("cpu"), recipe.seed), "recipe": asdict(recipe)}  # of the code that now runs
    torch.manual_seed(recipe.seed)
    processor, thinker = load_processor(recipe.base_model), load_base(recipe.base_model, torch.float32)
    if recipe.base_model == NANO_NAME:  # whose shipped reading is merged
        put_language(thinker, load_smollm2(packaged_file(LANGUAGE_MODEL, cache_root())))
    base, known = describe(thinker), _known_blanks(recipe)  # before the answers, which take minutes
    start = _start(recipe, base)
    train, dev = _instructions(recipe, processor, thinker, output)
    (space,) = tokenizer_of(processor)(" ", add_special_tokens=False).input_ids
    reader = Reader(thinker, recipe.lora_r, space, known, start)
    training = Training(recipe, reader)
    if (checkpoint := output / CHECKPOINT_FILE).is_file():
        training.load(checkpoint)
    _go_on(training, train, dev, checkpoint)
    reader.adapted.save_pretrained(str(output))
    strip_paths(output / ADAPTER_CONFIG_FILE, recipe.base_model)
    blanks: dict[str, torch.Tensor] = {form: blank.detach() for form, blank in reader.blanks.items()}
    save_file(blanks, output / BLANKS_FILE)
    earlier = None if start is None else start / SUMMARY_FILE
    summary = {**made, "base": base, **training.state, "runs_before": runs_before(earlier)}
    (output / SUMMARY_FILE).write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return summary


def _start(recipe: AlignRecipe, base: dict[str, str]) -> Path | None:
    """The folder to go on from.

    Raises:
        CasaError: it holds no finished run.
        CheckpointError: it is of another language model, or of one into which it is merged already.
    """
    if not recipe.init_from:
        return None
    folder = Path(recipe.init_from)
    if not (folder / SUMMARY_FILE).is_file():
        raise CasaError(f"{folder} is no finished run: it lacks {SUMMARY_FILE}")
    require_same_base(json.loads((folder / SUMMARY_FILE).read_text(encoding="utf-8"))["base"], base, folder)
    return folder


def _known_blanks(recipe: AlignRecipe) -> dict[Form, torch.Tensor]:
    """What the trained towers put where there is nothing.

    Raises:
        CasaError: a run is not finished.
    """
    files: dict[Form, tuple[str, str]] = {
        "picture": (recipe.vision_run, HEADS_FILE),
        "sound": (recipe.audio_run, TOWER_FILE),
    }
    found = {}
    for form, (folder, name) in files.items():
        if folder:
            if not (path := Path(folder) / name).is_file():
                raise CasaError(f"{folder} is no finished tower: it lacks {name}")
            found[form] = load_file(path)[BLANK_NAME]
    return found


def _media_in(thinker: Any, recipe: AlignRecipe) -> frozenset[Medium]:
    """Media whose towers are named in the recipe.

    Raises:
        CasaError: the base model does not hold one of them.
    """
    towers: dict[Medium, tuple[str, Any]] = {
        "picture": (recipe.vision_run, thinker.base_model.visual),
        "sound": (recipe.audio_run, thinker.base_model.audio_tower),
    }
    found: set[Medium] = set()
    for medium, (folder, tower) in towers.items():
        if not folder:
            continue
        weights, held = load_file(Path(folder) / TOWER_FILE), tower.state_dict()
        shared = [name for name in weights if name in held]
        if not all(torch.equal(weights[name].float(), held[name].float()) for name in shared):
            raise CasaError(
                f"{recipe.base_model} does not hold the tower of {folder}; `python -m casa.nano.ship_trained` puts it there"
            )
        found.add(medium)
    return frozenset(found)


def _knows_scenes(recipe: AlignRecipe) -> bool:
    """Whether the vision tower was trained on scenes."""
    if not (recipe.vision_run and (summary := Path(recipe.vision_run) / SUMMARY_FILE).is_file()):
        return False
    trained: dict[str, Any] = json.loads(summary.read_text(encoding="utf-8"))["recipe"]
    return float(trained.get("scene_share", 0)) > 0


def _instructions(recipe: AlignRecipe, processor: Any, thinker: Any, output: Path) -> tuple[Instructions, Instructions]:
    """Train and dev."""
    config = CasaConfig()
    chat = ChatFormat(processor, add_safety_tokens(tokenizer_of(processor), config), config)
    towers = Towers(thinker, chat, _media_in(thinker, recipe), _knows_scenes(recipe)) if recipe.real_share else None
    layouter = Layouter(processor, thinker, recipe.answer_tokens, towers)
    benign = [example for example in read_examples([SEED_DATA]) if not example.malicious]
    parts = []
    for split in ("train", "dev"):
        examples = [example for example in benign if example.split == split]
        answers = base_answers(thinker, chat, examples, recipe.answer_tokens, 64, output / f"answers_{split}.jsonl")
        words = common_words(tokenizer_of(processor)) if split == "train" else ()
        parts.append(Instructions(examples, answers, layouter, recipe, words))
    return parts[0], parts[1]


class Training:
    """What a step changes, and the step.

    Args:
        recipe: how to train.
        reader: the model.
    """

    def __init__(self, recipe: AlignRecipe, reader: Reader) -> None:
        self.recipe, self.reader = recipe, reader
        self.weights = {name: p for name, p in reader.named_parameters() if p.requires_grad}
        lora = [p for name, p in self.weights.items() if "lora_" in name]
        groups: list[dict[str, Any]] = [
            {"params": lora, "lr": recipe.learning_rate},
            {"params": [p for p in reader.blanks.parameters() if p.requires_grad], "lr": recipe.blank_learning_rate},
        ]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, recipe.rate)
        self.state: dict[str, Any] = {"step": 0, "seconds": 0.0, "curve": []}

    def learn(self, batch: list[tuple[Laid, Form]]) -> float:
        """One step; returns its loss.

        Raises:
            RuntimeError: a gradient is not finite.
        """
        begun = time.monotonic()
        generator = torch.Generator().manual_seed(self.recipe.seed * 10**6 + self.state["step"])
        by_length = sorted(batch, key=lambda item: len(item[0].ids))
        tokens, total = sum(laid.answer for laid, _ in batch), 0.0
        for start in range(0, len(batch), _TOGETHER):
            with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.bf16):
                logits, targets = self.reader(by_length[start : start + _TOGETHER], self.recipe.noise, generator)
                loss = F.cross_entropy(logits, targets, reduction="sum") / tokens
            loss.backward()
            total += loss.item()
        nn.utils.clip_grad_norm_(self.weights.values(), 1.0, error_if_nonfinite=True)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.schedule.step()
        self.state["step"] += 1
        self.state["seconds"] += time.monotonic() - begun
        return total

    def save(self, path: Path) -> None:
        """Writes a checkpoint; a kill while writing leaves the earlier one."""
        weights = {name: p.data for name, p in self.weights.items()}
        rest = {"optimizer": self.optimizer.state_dict(), "schedule": self.schedule.state_dict(), "state": self.state}
        write_checkpoint(path, {"weights": weights, **rest})

    def load(self, path: Path) -> None:
        """Goes on from a checkpoint."""
        saved = torch.load(path, weights_only=True)
        for name, p in self.weights.items():
            p.data.copy_(saved["weights"][name])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.schedule.load_state_dict(saved["schedule"])
        self.state = saved["state"]


def _go_on(training: Training, train: Instructions, dev: Instructions, checkpoint: Path) -> None:
    """Trains to the end, with checkpoints and a learning curve."""
    recipe, state = training.recipe, training.state
    held_out: dict[str, list[tuple[Laid, Form]]] = {form: dev.held_out(form, recipe.dev_size) for form in FORMS}
    held_out |= {f"{form} repeated": dev.held_out(form, recipe.dev_size, repeat=True) for form in FORMS[1:]}
    if recipe.scene_share:
        held_out["scene"] = dev.questions_held_out(recipe.dev_size)
    if not state["curve"]:
        state["curve"].append(_point(training.reader, held_out, 0, recipe.batch_size))
    while state["step"] < recipe.steps:
        loss = training.learn(train.batch(state["step"]))
        step = state["step"]
        if step % recipe.dev_steps == 0 or step == recipe.steps:
            state["curve"].append(_point(training.reader, held_out, step, recipe.batch_size))
        if step % recipe.save_steps == 0 or step == recipe.steps:
            training.save(checkpoint)
            print(f"step {step}  loss {loss:.3f}", flush=True)


def _point(reader: Reader, held_out: dict[str, list[tuple[Laid, Form]]], step: int, size: int) -> dict[str, Any]:
    """A point of the learning curve."""
    point: dict[str, Any] = {"step": step}
    for kind, batch in held_out.items():
        point[kind] = measure(reader, batch, size)._asdict()
    print(json.dumps(point), flush=True)
    return point


def main() -> None:
    """Entry; see `--help`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path, help="a YAML of AlignRecipe's fields, such as recipes/nano_align.yaml")
    options, overrides = parser.parse_known_args()
    print(json.dumps(run_align(options.recipe, overrides)["curve"][-1], indent=2))


if __name__ == "__main__":
    main()
