"""A run's folder belongs to one recipe on one set of data."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from casa.data.reading import SEED_DATA, seed_files
from casa.errors import CasaError
from casa.hashing import sha256_of
from casa.training import ranks

if TYPE_CHECKING:
    from casa.method.config import CasaConfig
    from casa.training.arguments import CasaTrainingArguments
    from casa.training.recipe import Recipe

RUN_FILE = "run.json"
_RATES = ("learning_rate", "token_learning_rate", "attention_learning_rate", "attention_weight_decay", "weight_decay")
_STEPS = ("lr_scheduler_type", "lr_scheduler_kwargs", "warmup_steps", "max_grad_norm", "bf16", "fp16", "optim")
_SHAPE = ("num_train_epochs", "max_steps", "step_batch_size", "seed")  # not how many ranks share a step


def claim_folder(
    output: Path,
    recipe: Recipe,
    config: CasaConfig,
    training: CasaTrainingArguments,
    method: dict[str, Any] | None = None,
) -> None:
    """Writes what a run is made of into its folder, so that no other run goes on from its checkpoints.

    Args:
        output: the folder.
        recipe: what is trained, on what.
        config: the method's choices.
        training: of which what changes the weights is written.
        method: name and settings of another method than CASA.

    Raises:
        CasaError: the folder belongs to a run with other fields or data.
    """
    claim = claim_of(recipe, config, training)
    write_claim(output, claim if method is None else {"method": method, **claim})


def claim_of(recipe: Recipe, config: CasaConfig, training: CasaTrainingArguments) -> dict[str, Any]:
    """What a run of CASA is made of: fields that change its weights, and checksums of its data."""
    files = seed_files() + [Path(name) for name in (*recipe.train_files, *recipe.template_files) if name != SEED_DATA]
    return {
        "recipe": asdict(recipe),
        "casa": asdict(config),
        "training": {name: getattr(training, name) for name in (*_RATES, *_STEPS, *_SHAPE)},
        "data": _checksums(path for path in files if path.is_file()),
    }


def _checksums(files: Iterable[Path]) -> dict[str, str]:
    """SHA-256 by file name; further files of one name have their number behind it."""
    found: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for path in files:
        seen[path.name] += 1
        number = f" ({seen[path.name]})" if seen[path.name] > 1 else ""
        found[path.name + number] = sha256_of(path)
    return found


def runs_before(summary: Path | None) -> list[dict[str, Any]]:
    """How what a run goes on from was made: summaries, the first run's first, each with how many steps it took.

    Args:
        summary: file of the run that this one goes on from; none are known without it.
    """
    if summary is None or not summary.is_file():
        return []
    last: dict[str, Any] = json.loads(summary.read_text(encoding="utf-8"))
    return [*last.pop("runs_before", []), last]


def write_claim(output: Path, claim: dict[str, Any]) -> None:
    """Writes what a run is made of into its folder, or compares it with what is there; of several ranks the main one writes.

    Raises:
        CasaError: the folder belongs to a run that is made of something else.
    """
    with ranks.main_first():
        require_free(output, claim)
        if ranks.is_main():
            output.mkdir(parents=True, exist_ok=True)
            (output / RUN_FILE).write_text(json.dumps(claim, indent=2) + "\n", encoding="utf-8")


def require_free(output: Path, claim: dict[str, Any]) -> None:
    """Checks that a folder is no other run's.

    Raises:
        CasaError: it is.
    """
    path = output / RUN_FILE
    if path.is_file() and json.loads(path.read_text(encoding="utf-8")) != claim:
        raise CasaError(f"{output} holds another run (see its {RUN_FILE}); give this one its own --output_dir")


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Writes a checkpoint by `torch.save`; a kill while writing leaves the earlier one."""
    import torch

    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)
