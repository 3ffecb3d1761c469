"""The demo's pieces on the tiny model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from casa import CasaModel
from casa.attacks.speech import spelled_out
from casa.attacks.typography import in_a_picture
from casa.baselines.folder import Saved, write_defence
from casa.baselines.pretrained import Undefended
from casa.evaluation.demo import Asked, DemoPrompt, DemoRow, in_text, run_demo


@pytest.fixture
def loaded(tiny_casa_folder: Path) -> tuple[CasaModel, Undefended]:
    """A CASA model and its base model, each from its folder."""
    return CasaModel.from_pretrained(tiny_casa_folder), Undefended.from_pretrained(str(tiny_casa_folder))


@pytest.fixture
def guard_folder(tiny_casa: CasaModel, tiny_casa_folder: Path, tmp_path: Path) -> Path:
    """Another method on the same base model: that model itself as a guard before it."""
    folder = tmp_path / "guard"
    folder.mkdir()
    settings = {"guard_model": tiny_casa.base["name"], "guard_safe": "no", "guard_unsafe": "yes"}
    write_defence(folder, Saved("external_guard", tiny_casa.base, settings=settings))
    return folder


@pytest.fixture
def rows(loaded: tuple[CasaModel, Undefended]) -> list[DemoRow]:
    """One row of each kind."""
    kinds = ("benign", "malicious", "jailbreak", "lookalike")
    prompts = [DemoPrompt(f"p-{kind}", kind, f"A <b>{kind}</b> prompt & more") for kind in kinds]
    return [*run_demo(*loaded, in_text(prompts))]


@pytest.fixture
def media_rows(loaded: tuple[CasaModel, Undefended]) -> list[DemoRow]:
    """A malicious and a benign prompt, each in a picture and with a word in a clip."""
    tone = np.sin(np.arange(8000) / 9).astype(np.float32), 16000
    prompts = [DemoPrompt(f"p-{kind}", kind, f"A {kind} request") for kind in ("malicious", "benign")]
    pictures = [Asked(prompt, "picture", in_a_picture(prompt.text)) for prompt in prompts]
    clips = [Asked(prompt, "spelled speech", spelled_out(prompt.text, lambda _: tone)) for prompt in prompts]
    return [*run_demo(*loaded, [*pictures, *clips])]
