"""What `casa eval` measures beside the benchmarks, with the weights in hand: states, long texts, adaptive attacks, time added."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from casa.baselines.pretrained import Undefended
from casa.data.held_out import held_out_queries
from casa.data.reading import Split
from casa.evaluation.adaptive import NOISES, noise_figures, suffix_figures
from casa.evaluation.answers import as_conversations
from casa.evaluation.attacked import measure_dilution
from casa.evaluation.comparison import paired_difference
from casa.evaluation.defences import seconds_to_first_token
from casa.evaluation.forms import forms_taken
from casa.evaluation.logs import MEASURED
from casa.evaluation.measurement import model_fields
from casa.evaluation.states import form_planes, kind_planes
from casa.model.casa_model import CasaModel
from casa.provenance import provenance

STATE_FORMS = ("picture", "speech")
_SPLIT: Split = "test"
_SEED, _BATCH = 0, 16


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
        states: queries of each kind.
        lengths: queries of each class by tokens of harmless text round them.
        attacked: malicious queries under adaptive attacks.
        steps: of each attack.
        candidates: of the suffix at each step.
        pixels: bounds of noise on pictures, in levels of 255.
        waveform: bounds of noise on speech, of full scale.
        prompts: that are timed one by one.
        max_tokens: longest answer.
    """

    states: int
    lengths: dict[int, int]
    attacked: int
    steps: int
    candidates: int
    pixels: tuple[float, ...]
    waveform: tuple[float, ...]
    prompts: int
    max_tokens: int

    def limited(self, limit: int) -> Effort:
        """At most so many queries, steps and bounds."""
        return replace(
            self,
            states=min(self.states, limit),
            lengths={tokens: min(n, limit) for tokens, n in list(self.lengths.items())[:limit]},
            attacked=min(self.attacked, limit),
            steps=min(self.steps, limit),
            pixels=self.pixels[:limit],
            waveform=self.waveform[:limit],
            prompts=min(self.prompts, limit),
        )


def measure_inside(source: str, effort: Effort, folder: Path) -> list[Path]:
    """Writes one file a measurement; those that are there already, of the same model and effort, are left alone.

    Args:
        source: a CASA model.
        effort: how much.
        folder: of the logs; the files go to `MEASURED` below it.
    """
    claim = {**model_fields(source), "effort": json.loads(json.dumps(asdict(effort)))}
    paths = {name: folder / MEASURED / f"{name}.json" for name in _MEASUREMENTS}
    open_ones = [name for name, path in paths.items() if not _is_done(path, claim)]
    if open_ones:
        casa, base = CasaModel.from_pretrained(source), Undefended.from_pretrained(source)
        (folder / MEASURED).mkdir(parents=True, exist_ok=True)
        for name in open_ones:
            result = {
                **provenance(casa.device, _SEED),
                **claim,
                "split": _SPLIT,
                **_MEASUREMENTS[name](casa, base, effort),
            }
            partial = paths[name].with_suffix(".partial")
            partial.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
            partial.replace(paths[name])
    return list(paths.values())


def _is_done(path: Path, claim: dict[str, Any]) -> bool:
    return path.is_file() and claim.items() <= json.loads(path.read_text(encoding="utf-8")).items()


def _texts(limit: int) -> dict[str, list[str]]:
    queries = held_out_queries(_SPLIT, _SEED, limit)
    return {kind: [example.text for example in queries[kind]] for kind in ("malicious", "benign")}


def _states(casa: CasaModel, base: Undefended, effort: Effort) -> dict[str, Any]:
    planes = kind_planes(casa, base, held_out_queries(_SPLIT, _SEED, effort.states), _BATCH)
    forms = forms_taken(casa.chat, STATE_FORMS, _SPLIT, _SEED)
    return {"states": planes, "modalities": form_planes(casa, base, _texts(effort.states), forms)}


def _lengths(casa: CasaModel, base: Undefended, effort: Effort) -> dict[str, Any]:
    texts = _texts(max(effort.lengths.values()))
    classes = {True: texts["malicious"], False: texts["benign"]}
    return {"lengths": measure_dilution(casa, classes, effort.lengths, _SEED)}


def _suffix(casa: CasaModel, base: Undefended, effort: Effort) -> dict[str, Any]:
    queries = _texts(effort.attacked)["malicious"]
    return suffix_figures(casa, queries, effort.steps, effort.candidates, effort.max_tokens, _SEED)


def _noise(casa: CasaModel, base: Undefended, effort: Effort) -> dict[str, Any]:
    forms = forms_taken(casa.chat, [noise.form for noise in NOISES.values()], _SPLIT, _SEED)
    bounds = {"pixels": effort.pixels, "waveform": effort.waveform}
    queries = _texts(effort.attacked)["malicious"]
    return {"steps": effort.steps, "noise": noise_figures(casa, queries, forms, bounds, effort.steps)}


def _latency(casa: CasaModel, base: Undefended, effort: Effort) -> dict[str, Any]:
    """Time to the first token of the answer, one benign prompt at a time; CASA's answer has its verdict before that."""
    prompts = as_conversations(_texts(effort.prompts)["benign"])
    models: dict[str, Any] = {"without CASA": base, "with CASA": casa}
    seconds = {name: seconds_to_first_token(model, prompts) for name, model in models.items()}
    added = paired_difference(seconds["without CASA"], seconds["with CASA"])
    return {
        "first_token_ms": {name: _spread(values) for name, values in seconds.items()},
        "added_ms": {name: 1000 * value for name, value in asdict(added).items()},
    }


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    low, median, high = np.percentile(seconds, [25, 50, 75])
    return {"n": len(seconds), "low": 1000 * low, "median": 1000 * median, "high": 1000 * high}


_MEASUREMENTS: dict[str, Callable[[CasaModel, Undefended, Effort], dict[str, Any]]] = {
    "states": _states,
    "lengths": _lengths,
    "suffix": _suffix,
    "noise": _noise,
    "latency": _latency,
}
