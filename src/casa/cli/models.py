"""Loads models for the commands: quietly, and with one line if it fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from casa.cli.console import err
from casa.errors import CheckpointError

if TYPE_CHECKING:
    from casa.baselines.pretrained import Undefended
    from casa.model.casa_model import CasaModel


def load_casa(source: str, safety_prompt: bool = False, **overrides: Any) -> CasaModel:
    """A trained CASA model; see `CasaModel.from_pretrained`.

    Args:
        source: as there.
        safety_prompt: add the built-in safety prompt.
        overrides: fields of CasaConfig; None leaves the model's own.
    """
    with _loading(source):
        from casa.method.config import SAFETY_PROMPT
        from casa.model.casa_model import CasaModel

        chosen = {name: value for name, value in overrides.items() if value is not None}
        if safety_prompt:
            chosen["safety_prompt"] = SAFETY_PROMPT
        return CasaModel.from_pretrained(source, overrides=chosen)


def load_undefended(source: str) -> Undefended:
    """The base model of a CASA model, without CASA."""
    with _loading(f"the base model of {source}"):
        from casa.baselines.pretrained import Undefended

        return Undefended.from_pretrained(source)


@contextmanager
def _loading(what: str) -> Iterator[None]:
    """Shows on a terminal what is being loaded.

    Raises:
        CheckpointError: the model is neither here nor on the hub, or the hub cannot be reached.
    """
    with err.status(f"Loading {what} ..."):
        from huggingface_hub.errors import HFValidationError
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            yield
        except (OSError, HFValidationError) as error:
            raise CheckpointError(f"cannot load {what}: {error}") from error
