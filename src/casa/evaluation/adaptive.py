"""How far an attacker who has the weights must go: shares of queries that get past a defence, by steps and by bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.progress import track

from casa.attacks.adaptive import Attempt, suffix_attack
from casa.attacks.noise import pixel_attack, waveform_attack
from casa.baselines.interface import Defence
from casa.evaluation.answers import Conversation, as_conversations
from casa.evaluation.forms import Form
from casa.evaluation.metrics import Rate
from casa.evaluation.white_box import target_of
from casa.model.casa_model import CasaModel


@dataclass(frozen=True)
class Noise:
    """A kind of noise.

    Attributes:
        attack: takes the model, a conversation, a bound and the most steps.
        form: of the queries that it is tried on, a name in `casa.evaluation.forms`.
        unit: of its bound.
    """

    attack: Callable[[CasaModel, Conversation, float, int], Iterator[Attempt]]
    form: str
    unit: str


NOISES = {
    "pixels": Noise(pixel_attack, "picture", "levels of 255"),
    "waveform": Noise(waveform_attack, "speech", "of full scale"),
}


def suffix_paths(
    defence: Defence, queries: Sequence[str], steps: int, candidates: int, max_new_tokens: int, seed: int
) -> list[list[Attempt]]:
    """The attempts of a suffix attack on each query.

    Args:
        defence: of any method.
        queries: malicious ones.
        steps: exchanges of a token, at most.
        candidates: tried at each step.
        max_new_tokens: longest answer.
        seed: of the candidates.
    """
    target = target_of(defence, max_new_tokens)
    tracked = track(queries, "attacked queries", console=Console(stderr=True))
    return [list(suffix_attack(target, query, steps, candidates, seed=seed)) for query in tracked]


def suffixed(paths: Sequence[Sequence[Attempt]]) -> list[Conversation]:
    """What each attack ends in, as it would be sent."""
    return as_conversations([str(path[-1].text) for path in paths])


def suffix_figures(
    defence: Defence, queries: Sequence[str], steps: int, candidates: int, max_new_tokens: int, seed: int
) -> dict[str, Any]:
    """Suffixes that are changed token by token until the defence answers; arguments as of `suffix_paths`."""
    paths = suffix_paths(defence, queries, steps, candidates, max_new_tokens, seed)
    return {
        "settings": {"steps": steps, "candidates": candidates, "max_new_tokens": max_new_tokens},
        "past": "answered",
        "curve": curve(paths, steps),
        "attack_success": asdict(Rate.of(sum(path[-1].broken for path in paths), len(paths))),
    }


def noise_figures(
    casa: CasaModel,
    queries: Sequence[str],
    forms: Mapping[str, Form],
    bounds: Mapping[str, Sequence[float]],
    steps: int,
) -> dict[str, Any]:
    """Curves of each kind of noise, by its bound; kinds whose form is not there are left out.

    Args:
        casa: the model.
        queries: malicious ones.
        forms: that the model takes, by name.
        bounds: of each kind of noise.
        steps: of the gradient, at most.
    """
    found = {}
    for name, noise in NOISES.items():
        if noise.form in forms:
            conversations = [forms[noise.form](query) for query in queries]
            curves = {f"{bound:g}": _noise_curve(casa, noise, conversations, bound, steps) for bound in bounds[name]}
            found[name] = {"form": noise.form, "unit": noise.unit, "curves": curves}
    return found


def _noise_curve(
    casa: CasaModel, noise: Noise, conversations: Sequence[Conversation], bound: float, steps: int
) -> list[dict[str, Any]]:
    tracked = track(conversations, f"noise within {bound:g} {noise.unit}", console=Console(stderr=True))
    return curve([list(noise.attack(casa, each, bound, steps)) for each in tracked], steps)


def curve(paths: Sequence[Sequence[Attempt]], steps: int) -> list[dict[str, Any]]:
    """Share of queries that get past the defence after at most so many steps."""
    broken_at = [next((a.step for a in path if a.broken), None) for path in paths]
    return [
        {"step": step, "broken": asdict(Rate.of(sum(b is not None and b <= step for b in broken_at), len(paths)))}
        for step in range(steps + 1)
    ]
