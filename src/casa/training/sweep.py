"""`python -m casa.training.sweep`: small sweeps of the method's choices, on cached hidden states of the frozen base model.

Token rows and safety attention train, the model does not: seconds a point instead of hours. That ranks the choices of the
decision; it says nothing of LoRA. One file an axis is written into results/sweeps/, measured on the dev split, several seeds a
point.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from casa.data.held_out import CONTRASTS, held_out_queries
from casa.data.reading import SEED_DATA, Example, jailbreak_templates, neutral_wrappers, read_examples
from casa.method.config import QUERY_DESCRIPTION, SAFETY_PROMPT, CasaConfig
from casa.model.attach import fresh_attention, query_hidden_states
from casa.model.bases import load_base, load_processor
from casa.model.casa_model import CasaModel
from casa.model.messages import ChatFormat
from casa.provenance import provenance
from casa.training.cached import CachedStates, Decision, cache_states, fit
from casa.training.dev import area_under_roc
from casa.training.mix import wrap

# Fields of CasaConfig, tried one at a time; the rest stays at its default.
CONFIG_AXES: dict[str, tuple[Any, ...]] = {
    "gate": ("log", "scale", "none"),
    "pooling": ("softmax", "mean", "max"),
    "tau": (0.1, 0.3, 1.0, 3.0),
    "risk_loss_weight": (0.0, 0.3, 1.0, 3.0),
    "num_heads": (1, 3, 9),
    "head_dim": (16, 64, 192),
    "beta": (0.5, 1.0, 2.0),
    "hidden_state": ("final", "pre_norm"),
    "safety_prompt": (None, SAFETY_PROMPT),
    "query_description": (
        QUERY_DESCRIPTION,
        "unsafe",
        "The weather is pleasant in spring.",
    ),
}
# What training sees; each point takes as many examples as the pool allows for all points alike.
DATA_AXES: dict[str, tuple[Any, ...]] = {
    "examples": (50, 100, 200, 400, 800),
    "lookalike_share": (0.0, 0.25, 0.5, 0.75),
    "wrapped_share": (0.0, 0.2, 0.4, 0.6),
}
_CACHED_FIELDS = ("hidden_state", "safety_prompt")  # these need other states
_EPOCHS, _RATE, _TOKEN_RATE, _DECAY = 20, 1e-3, 3e-3, 0.1


class States:
    """Cached states of the training pool and of the dev queries, made when first asked for.

    Args:
        casa: untrained, so that its states are the base model's.
        pool: training examples.
        dev: dev queries by kind.
    """

    def __init__(self, casa: CasaModel, pool: list[Example], dev: dict[str, list[Example]]) -> None:
        self._casa, self.pool, self._dev = casa, pool, dev
        self._made: dict[tuple[Any, ...], tuple[CachedStates, dict[str, CachedStates]]] = {}

    def of(self, config: CasaConfig) -> tuple[CachedStates, dict[str, CachedStates]]:
        """Training states, and dev states by kind."""
        key = tuple(getattr(config, name) for name in _CACHED_FIELDS)
        if key not in self._made:
            self._casa.config = config
            self._casa.chat = ChatFormat(self._casa.processor, self._casa.tokens, config)
            self._made[key] = (
                cache_states(self._casa, self.pool, 32),
                {kind: cache_states(self._casa, found, 32) for kind, found in self._dev.items()},
            )
        return self._made[key]


def pool_of(sources: Sequence[str], size: int, seed: int) -> list[Example]:
    """Training queries, half of each class, drawn at random; 40 % of them inside framings, both classes alike."""
    train = [e for e in read_examples(sources) if e.split == "train"]
    rng = random.Random(seed)
    halves = [e for label in (True, False) for e in rng.sample([e for e in train if e.malicious == label], size // 2)]
    return wrap(halves, jailbreak_templates("train"), neutral_wrappers("train"), 0.3, 0.1, seed)


def drawn(axis: str, value: Any, pool: Sequence[Example], seed: int) -> list[int]:
    """Indices of the pool that a point trains on, half of each class."""
    rng = random.Random(seed)
    by_label = {label: [i for i, e in enumerate(pool) if e.malicious == label] for label in (True, False)}
    if axis == "examples":
        return [i for found in by_label.values() for i in rng.sample(found, min(value // 2, len(found)))]
    if axis == "lookalike_share":
        return rng.sample(by_label[True], _half(pool, _is_lookalike, False)) + _mixed(
            by_label[False], pool, _is_lookalike, value, _half(pool, _is_lookalike, False), rng
        )
    if axis == "wrapped_share":
        n = min(_half(pool, _is_wrapped, label) for label in by_label)
        return [i for found in by_label.values() for i in _mixed(found, pool, _is_wrapped, value, n, rng)]
    return list(range(len(pool)))


def _is_lookalike(example: Example) -> bool:
    return example.kind.startswith("lookalike")


def _is_wrapped(example: Example) -> bool:
    return "+" in example.kind


def _half(pool: Sequence[Example], has: Any, label: bool) -> int:
    """How many of a class can be drawn at any share of a property up to three quarters."""
    with_it = sum(has(e) for e in pool if e.malicious == label)
    without = sum(not has(e) for e in pool if e.malicious == label)
    return min(int(with_it / 0.75), without)


def _mixed(found: list[int], pool: Sequence[Example], has: Any, share: float, n: int, rng: random.Random) -> list[int]:
    with_it, without = [i for i in found if has(pool[i])], [i for i in found if not has(pool[i])]
    wanted = round(share * n)
    return rng.sample(with_it, wanted) + rng.sample(without, n - wanted)


def trained_decision(
    casa: CasaModel, config: CasaConfig, states: CachedStates, rows: torch.Tensor, seed: int
) -> Decision:
    """A fresh decision, fitted to states."""
    torch.manual_seed(seed)
    attention = fresh_attention(casa.base_model, config)
    attention.set_query(query_hidden_states(casa.base_model, casa.processor, config))
    decision = Decision(attention, config, rows)
    fit(decision, states, _EPOCHS, _RATE, _DECAY, _TOKEN_RATE, batch_size=64, seed=seed)
    return decision


@torch.no_grad()
def dev_figures(decision: Decision, dev: dict[str, CachedStates]) -> dict[str, float]:
    """Share called unsafe by kind, and AUROC of p_unsafe and v_s for three contrasts."""
    p, v = {}, {}
    for kind, states in dev.items():
        gated, risk = decision(states)
        p[kind], v[kind] = gated.softmax(-1)[:, 1].tolist(), risk.risk.tolist()
    figures = {f"flagged {kind}": float(np.mean([x >= decision.config.threshold for x in p[kind]])) for kind in p}
    for harmful, harmless in CONTRASTS:
        for name, scores in (("p_unsafe", p), ("v_s", v)):
            figures[f"auroc {name} {harmful}/{harmless}"] = area_under_roc(scores[harmful], scores[harmless])
    return figures


def sweep(casa: CasaModel, states: States, axis: str, seeds: int) -> Iterator[dict[str, Any]]:
    """One axis, point by point: its value, the mean figures, and those of each seed."""
    rows = casa.base_model.get_output_embeddings().weight[list(casa.tokens)]
    for value in (CONFIG_AXES | DATA_AXES)[axis]:
        config = replace(CasaConfig(), **{axis: value}) if axis in CONFIG_AXES else CasaConfig()
        train, dev = states.of(config)
        runs = []
        for seed in range(seeds):
            part = train.subset(drawn(axis, value, states.pool, seed))
            runs.append(dev_figures(trained_decision(casa, config, part, rows, seed), dev))
        means = {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}
        yield {"value": value, "mean": means, "runs": runs}


def main() -> None:
    """Entry; see `--help`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--axes", nargs="+", choices=[*CONFIG_AXES, *DATA_AXES], default=[*CONFIG_AXES, *DATA_AXES])
    parser.add_argument("--base-model", default="casa-nano")
    parser.add_argument("--data", nargs="+", default=[SEED_DATA])
    parser.add_argument("--pool", type=int, default=800, help="training examples, half of each class")
    parser.add_argument("--dev-limit", type=int, default=64, help="dev queries of each kind")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("results/sweeps"))
    options = parser.parse_args()

    base = load_base(options.base_model, torch.float32)
    casa = CasaModel.attach(base, load_processor(options.base_model)).eval()
    pool = pool_of(options.data, options.pool, seed=0)
    states = States(casa, pool, held_out_queries("dev", 0, options.dev_limit, options.data))
    options.out.mkdir(parents=True, exist_ok=True)
    for axis in options.axes:
        points = []
        for point in sweep(casa, states, axis, options.seeds):
            points.append(point)
            print(axis, point["value"], {name: round(figure, 3) for name, figure in point["mean"].items()}, flush=True)
        result = {**provenance(casa.device, 0), "split": "dev", "axis": axis, "pool": len(pool), "points": points}
        (options.out / f"{axis}.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
