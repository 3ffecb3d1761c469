"""All methods by name: how each is trained by a recipe, and how its folder is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from casa.baselines import circuit_breaker, guard, probe, ssft
from casa.baselines.folder import Saved, adapted_base, base_of, read_defence, write_defence
from casa.baselines.interface import Defence, PlainChat
from casa.baselines.pretrained import Undefended
from casa.baselines.run import Run
from casa.errors import CasaError
from casa.method.config import SAFETY_PROMPT, CasaConfig
from casa.model.bases import load_base, load_processor, pinned
from casa.model.casa_model import CasaModel
from casa.model.checkpoint import CONFIG_FILE, read_config, resolve
from casa.training import ranks
from casa.training.arguments import CasaTrainingArguments
from casa.training.recipe import Recipe, finished_run, run_recipe
from casa.training.run_folder import claim_folder
from casa.training.yaml_fields import parse_recipe

CASA, TOKEN_ONLY = "casa", "casa_token_only"


@dataclass
class NoSettings:
    """For methods that have none."""


@dataclass(frozen=True)
class Method:
    """One defence.

    Attributes:
        train: trains it (or writes down what there is to it) in a run's folder and returns the summary.
        load: from its folder, and what `read_defence` read there.
        settings: dataclass of its own fields in a recipe.
    """

    train: Callable[[Run], dict[str, Any]]
    load: Callable[[Path, Saved], Defence]
    settings: type = NoSettings


def method_of(source: str | Path) -> str:
    """The name of the method in a folder; CASA without safety attention (gate "none") is `casa_token_only`."""
    folder = resolve(source)
    if (folder / CONFIG_FILE).is_file():
        return TOKEN_ONLY if read_config(folder)["casa"]["gate"] == "none" else CASA
    return read_defence(folder).method


def load_defence(source: str | Path) -> Defence:
    """Any defence from its folder, after checking that every piece is there, unaltered, and fits the base model.

    Args:
        source: a folder that `casa train` wrote, "casa-nano", or a hub id.

    Raises:
        CheckpointError: the folder is no defence, a file is missing or altered, or the base model is another one.
    """
    folder = resolve(source)
    if (folder / CONFIG_FILE).is_file():
        return CasaModel.from_pretrained(source)
    saved = read_defence(folder)
    return METHODS[saved.method].load(folder, saved)


def train_method(method: str, path: Path, overrides: list[str]) -> dict[str, Any]:
    """Trains a method by a recipe into its `output_dir`; resumes if a checkpoint is there. See `run_recipe`.

    Args:
        method: "casa", or a name in `METHODS`.
        path: the recipe.
        overrides: `--field value`, of the recipe and of the method's own settings.

    Raises:
        CasaError: there is no such method, the recipe or its data are malformed, or the folder belongs to another run.
    """
    if method == CASA:
        return run_recipe(path, overrides)
    if method not in METHODS:
        raise CasaError(f"there is no method {method!r}; there are {CASA}, {', '.join(METHODS)}")
    types = (Recipe, CasaConfig, CasaTrainingArguments, METHODS[method].settings)
    recipe, config, training, settings = parse_recipe(path, overrides, types)
    if recipe.init_from is not None:
        raise CasaError("init_from is for CASA models; the other methods are trained from the base model")
    ranks.require_one(f"the method {method}")
    output = Path(str(training.output_dir))
    claim_folder(output, recipe, config, training, {"name": method, **vars(settings)})
    run = Run(method, recipe, config, training, settings, output)
    return finished_run(output, lambda: METHODS[method].train(run))


# -- what each is made of ----------------------------------------------------------------------------------------------


def _chat(model: Any, saved: Saved) -> Undefended:
    """Plain chat with a model in the format that the folder names."""
    processor = load_processor(saved.base_model["name"], **pinned(saved.base_model))
    return Undefended.around(model, processor, CasaConfig(safety_prompt=saved.safety_prompt))


def _write_untrained(run: Run) -> dict[str, Any]:
    write_defence(run.output, run.saved)
    return run.summary([], {})


def _write_safety_prompt(run: Run) -> dict[str, Any]:
    run.config = replace(run.config, safety_prompt=run.config.safety_prompt or SAFETY_PROMPT)
    return _write_untrained(run)


def _write_external_guard(run: Run) -> dict[str, Any]:
    if run.settings.guard_model is None:
        raise CasaError("name the guard: --guard_model HUB_ID_OR_FOLDER")
    return _write_untrained(run)


def _load_untrained(folder: Path, saved: Saved) -> Defence:
    return PlainChat(_chat(base_of(folder, saved), saved))


def _load_adapter(folder: Path, saved: Saved) -> Defence:
    return PlainChat(_chat(adapted_base(folder, saved), saved))


def _load_guard(folder: Path, saved: Saved) -> Defence:
    settings = guard.GuardSettings(**saved.settings)
    processor = load_processor(saved.base_model["name"], **pinned(saved.base_model))
    judge = guard.guard_around(adapted_base(folder, saved), processor, settings, saved.threshold)
    return guard.Guarded(judge, _chat(base_of(folder, saved), saved))


def _load_external_guard(folder: Path, saved: Saved) -> Defence:
    settings = guard.ExternalGuardSettings(**saved.settings)
    name = str(settings.guard_model)
    judge = guard.guard_around(load_base(name), load_processor(name), settings, saved.threshold)
    return guard.Guarded(judge, _chat(base_of(folder, saved), saved))


def _load_probe(folder: Path, saved: Saved) -> Defence:
    return probe.Probed(
        _chat(base_of(folder, saved), saved), probe.load_probe(folder / probe.PROBE_FILE), saved.threshold
    )


METHODS = {
    "pretrained": Method(_write_untrained, _load_untrained),
    "safety_prompt": Method(_write_safety_prompt, _load_untrained),
    "ssft": Method(ssft.train, _load_adapter),
    "circuit_breaker": Method(circuit_breaker.train, _load_adapter, circuit_breaker.CircuitBreakerSettings),
    "guard": Method(guard.train, _load_guard, guard.GuardSettings),
    "external_guard": Method(_write_external_guard, _load_external_guard, guard.ExternalGuardSettings),
    "probe": Method(probe.train, _load_probe, probe.ProbeSettings),
}
