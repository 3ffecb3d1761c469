"""Do last-layer states separate harmful from harmless? What enters the LM head at the last prompt position, in a plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from casa.baselines.pretrained import Undefended
from casa.baselines.probe import cached_last_states, last_states
from casa.data.reading import Example
from casa.evaluation.answers import Conversation, in_batches
from casa.evaluation.forms import Form
from casa.model.casa_model import CasaModel


def plane_of(states: np.ndarray, kinds: Sequence[str]) -> dict[str, Any]:
    """Two principal components of states, by kind, and the share of variance that each explains."""
    from sklearn.decomposition import PCA

    pca = PCA(2, random_state=0)
    plane = pca.fit_transform(states).round(3)
    points = {kind: plane[[k == kind for k in kinds]].tolist() for kind in dict.fromkeys(kinds)}
    return {"explained": pca.explained_variance_ratio_.tolist(), "points": points}


def kind_planes(
    casa: CasaModel, base: Undefended, queries: dict[str, list[Example]], batch_size: int
) -> dict[str, dict[str, Any]]:
    """A plane of all kinds of text queries, without CASA and with it."""
    examples = [example for found in queries.values() for example in found]
    kinds = [kind for kind, found in queries.items() for _ in found]
    return {
        name: plane_of(cached_last_states(model, examples, batch_size).numpy(), kinds)
        for name, model in _models(casa, base).items()
    }


def form_planes(
    casa: CasaModel, base: Undefended, texts: dict[str, list[str]], forms: dict[str, Form]
) -> dict[str, dict[str, dict[str, Any]]]:
    """A plane of each form in which queries reach the models, without CASA and with it.

    Args:
        casa: the model.
        base: its base model.
        texts: queries by kind.
        forms: by name.
    """
    kinds = [kind for kind, found in texts.items() for _ in found]
    planes = {}
    for name, form in forms.items():
        conversations = [form(text) for found in texts.values() for text in found]
        planes[name] = {
            when: plane_of(_states(model, conversations), kinds) for when, model in _models(casa, base).items()
        }
    return planes


def _models(casa: CasaModel, base: Undefended) -> dict[str, Undefended]:
    return {"without CASA": base, "with CASA": Undefended(casa.base_model, casa.chat)}


def _states(model: Undefended, conversations: Sequence[Conversation]) -> np.ndarray:
    """One at a time, for not all families take media in batches; shape (conversations, width)."""

    def state(batch: list[Conversation]) -> list[np.ndarray]:
        return [last_states(model, [model.chat.prompt(batch[0])])[0].float().cpu().numpy()]

    found: list[np.ndarray] = in_batches(conversations, 1, state, "hidden states")
    return np.stack(found)
