"""The demo's pieces on the tiny model."""

from __future__ import annotations

from pathlib import Path

import pytest

from casa import CasaModel
from casa.baselines.pretrained import Undefended
from casa.evaluation.demo import DemoPrompt, DemoRow, run_demo


@pytest.fixture
def loaded(tiny_casa_folder: Path) -> tuple[CasaModel, Undefended]:
    """A CASA model and its base model, each from its folder."""
    return CasaModel.from_pretrained(tiny_casa_folder), Undefended.from_pretrained(str(tiny_casa_folder))


@pytest.fixture
def rows(loaded: tuple[CasaModel, Undefended]) -> list[DemoRow]:
    """One row of each kind."""
    kinds = ("benign", "malicious", "jailbreak", "lookalike")
    return [*run_demo(*loaded, [DemoPrompt(f"p-{kind}", kind, f"A <b>{kind}</b> prompt & more") for kind in kinds])]
