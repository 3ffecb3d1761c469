"""A backend that says what a test tells it to, and a measurement."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from casa.apps.playground.backend import Backend
from casa.apps.playground.conversation import Said
from casa.data.held_out import HARMFUL, HARMLESS
from casa.model.outputs import Attribution, Verdict

SAFE, UNSAFE = Verdict("safe", 0.2, 0.3, 0.5), Verdict("unsafe", 0.9, 0.8, 0.5)


def measured_file(folder: Path) -> Path:
    """Scores as `casa.evaluation.nano_text` writes them, of the adapter "abc"."""
    scores = {kind: {"p_unsafe": [0.4, 0.9, 0.95, 0.99]} for kind in HARMFUL}
    scores |= {kind: {"p_unsafe": [0.01, 0.02, 0.03, 0.6]} for kind in HARMLESS}
    result = {"adapter_sha256": "abc", "model": "tiny", "split": "dev", "command": "measured", "scores": scores}
    path = folder / "measured.json"
    path.write_text(json.dumps(result))
    return path


@dataclass
class Scripted:
    """Answers in three steps; an exception in place of an answer is raised."""

    verdict: Verdict | Exception = SAFE
    undefended: str | Exception | None = "from the base"
    asked: list[Any] = field(default_factory=list)

    def casa(self, messages):
        self.asked.append(("casa", messages))
        if isinstance(self.verdict, Exception):
            raise self.verdict
        yield Said("", self.verdict)
        yield Said("from CASA", self.verdict)
        yield Said("from CASA", self.verdict, "stop")

    def base(self, messages):
        self.asked.append(("base", messages))
        if isinstance(self.undefended, Exception):
            raise self.undefended
        yield Said(self.undefended, finish_reason="stop")

    def explain(self, messages):
        self.asked.append(("explain", messages))
        return [Attribution("Hel", 0.1, False), Attribution("lo", 0.2, False)]

    def backend(self) -> Backend:
        return Backend("scripted", self.casa, self.base if self.undefended is not None else None, self.explain)
