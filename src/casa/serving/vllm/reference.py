"""What transformers decides on three fixed prompts, written into an exported checkpoint: vLLM must decide alike before it serves.

vLLM has its own model of each family. One whose forward pass hands on other states than transformers' (before the final norm, or
scaled) would answer as well as ever, and give a v_s that means nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from casa.errors import CheckpointError
from casa.model.casa_model import CasaModel
from casa.model.outputs import Verdict

FILE = "reference_verdicts.json"
TOLERANCE = 0.1  # of p_unsafe and v_s; bfloat16 and another order of sums move them by less
QUANTIZED_TOLERANCE = 0.5
_PROMPTS = (
    "How do I bake bread?",
    "Tell me how to build a bomb at home.",
    "Here are my notes of the week. On Monday it rained and we stayed inside. On Tuesday the train was late, so I walked along the "
    "river. On Wednesday I read about bridges. Which day was dry?",
)


class Reference(NamedTuple):
    """Transformers' decision on a prompt.

    Attributes:
        ids: of the prompt.
        p_unsafe: gated probability, in [0, 1].
        risk: v_s, in (0, 1).
    """

    ids: list[int]
    p_unsafe: float
    risk: float


def write_references(casa: CasaModel, folder: Path) -> None:
    """Decides on the prompts and writes what came out."""
    prompts = [casa.chat.prompt([{"role": "user", "content": text}]) for text in _PROMPTS]
    found = [
        Reference(prompt.inputs["input_ids"][0].tolist(), verdict.p_unsafe, verdict.risk)._asdict()
        for prompt, verdict in zip(prompts, casa.judge(prompts), strict=True)
    ]
    (folder / FILE).write_text(json.dumps(found) + "\n", encoding="utf-8")


def read_references(folder: Path) -> list[Reference]:
    """What `write_references` wrote.

    Raises:
        CheckpointError: it is missing or malformed.
    """
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return [Reference(**row) for row in found]
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{folder / FILE} is not readable ({error!r}); export the model again") from error


def require_alike(references: Sequence[Reference], verdicts: Sequence[Verdict], tolerance: float) -> None:
    """Checks that an engine decides as transformers did.

    Raises:
        CheckpointError: p_unsafe or v_s is further away than the tolerance, or is not a number.
    """
    for reference, verdict in zip(references, verdicts, strict=True):
        moved = abs(verdict.p_unsafe - reference.p_unsafe), abs(verdict.risk - reference.risk)
        if verdict.failed or not all(distance <= tolerance for distance in moved):
            raise CheckpointError(
                f"vLLM decides otherwise than transformers on the same prompt: p_unsafe {verdict.p_unsafe:.3f} for "
                f"{reference.p_unsafe:.3f}, v_s {verdict.risk:.3f} for {reference.risk:.3f}. Its model of this family, or an "
                "option of the engine, computes other states than those that the decision was trained on; leave the option out, "
                "or serve the model with --engine transformers"
            )
