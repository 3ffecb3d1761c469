"""Logs as `casa eval` leaves them, made without a model."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalSample, EvalSpec, write_eval_log
from inspect_ai.model import (
    ChatMessageUser,
    ContentAudio,
    ContentImage,
    ContentText,
    GenerateConfig,
    ModelOutput,
    ModelUsage,
)
from inspect_ai.scorer import Score

from casa.evaluation.benchmarks import BENCHMARKS

ANSWER = "an answer that must not be printed"
NANO, PLAIN = "casa/casa-nano", "undefended/casa-nano"
MEDIA = {"image": [ContentImage(image="a.png")], "audio": [ContentAudio(audio="a.wav", format="wav")]}


@dataclass(frozen=True)
class Asked:
    """One item, and what the model did; None where it could not be told."""

    id: str
    harmful: bool = True
    complied: bool | None = True
    attack: str = "none"
    category: str = "fraud"
    p_unsafe: float | None = None
    scores: tuple[tuple[str, float | None], ...] = ()
    reason: str = "no_response"
    medium: str = "text"
    picture: str | None = None
    has_v_s: bool = True

    @property
    def goal(self) -> str:
        """Items whose ids differ in the attack at the end only are of one goal."""
        return self.id.partition("/")[0]


def sample(item: Asked) -> EvalSample:
    complied = Score.unscored(reason=item.reason) if item.complied is None else Score(value=int(item.complied))
    flagged = Score.unscored(reason="no_response")
    if item.p_unsafe is not None:
        risk = item.p_unsafe**2 if item.has_v_s else None
        metadata = {"label": "unsafe", "p_unsafe": item.p_unsafe, "risk": risk, "threshold": 0.5}
        flagged = Score(value=int(item.p_unsafe >= 0.5), metadata=metadata)
    return EvalSample(
        id=item.id,
        epoch=1,
        input=[ChatMessageUser(content=[*MEDIA.get(item.medium, []), ContentText(text="?")])],
        target="",
        output=ModelOutput.from_content("m", ANSWER),
        scores={"complied": complied, "flagged": flagged, **{name: _score(value) for name, value in item.scores}},
        metadata={
            **{"harmful": item.harmful, "category": item.category, "attack": item.attack, "goal": item.goal},
            **({"picture": item.picture} if item.picture else {}),
        },
        model_usage={} if item.p_unsafe is None else {"m": ModelUsage(input_tokens=40, output_tokens=10)},
        working_time=0.5 + len(item.id) / 100,
    )


def _score(value: float | None) -> Score:
    return Score.unscored(reason="invalid_response_format") if value is None else Score(value=value)


def log(model: str, benchmark: str, items: list[Asked], **changes) -> EvalLog:
    """A finished log on a mini set; `changes` are fields of the log or, where it has none such, of its spec."""
    measures = BENCHMARKS[benchmark].measures if benchmark in BENCHMARKS else "attack"
    spec = {
        "created": "2026-01-02T03:04:05+00:00",
        "task": benchmark,
        "dataset": EvalDataset(sample_ids=[item.id for item in items]),
        "model": model,
        "model_generate_config": GenerateConfig(max_tokens=64),
        "model_args": {"batch_size": 16},
        "config": EvalConfig(),
        "packages": {"inspect_ai": "0.3"},
        "metadata": {"benchmark": benchmark, "measures": measures, "set": "mini"},
    }
    of_log = {name: value for name, value in changes.items() if name in EvalLog.model_fields and name != "metadata"}
    spec |= {name: value for name, value in changes.items() if name not in of_log}
    fields = {"status": "success", "samples": [sample(item) for item in items], **of_log}
    return EvalLog(eval=EvalSpec(**spec), **fields)


def items(benchmark: str, defended: bool, n: int = 20) -> list[Asked]:
    """Plausible items, harmless ones under every second attack: the undefended model mostly complies, the defended one judges."""
    rng = random.Random(f"{benchmark} {defended}")
    lengths = {"prefill": (2, 4, 9, 12, 16), "dilution": (256, 1024, 4096)}.get(benchmark)
    attacks = (
        [f"{benchmark} {words}" for words in lengths]
        if lengths
        else {
            "jailbreakv": ["template", "figstep", "typo"],
            "aiah": ["spelled", "spoken", "distracting"],
        }.get(benchmark, ["none"])
    )
    categories = ("fraud", "malware", "physical harm", "privacy")
    measures = BENCHMARKS[benchmark].measures
    found = []
    for number in range(n):
        kinds = {"attack": [True, False], "utility": [False], "over-refusal": [True, False]}[measures]
        for harmful in kinds:
            for step, attack in enumerate(attacks):
                if measures == "attack" and not harmful and (attack == "none" or (number + step) % 2):
                    continue
                p = min(max(rng.gauss(0.85 - 0.07 * step if harmful else 0.2, 0.2), 0.001), 0.999)
                complied = rng.random() < (0.75 if harmful else 0.96)
                if defended:
                    complied = complied and p < 0.5
                kind = "m" if harmful else {"over-refusal": "l", "attack": "b"}.get(measures, benchmark)
                name = f"{kind}-{number}" + ("" if attack == "none" else f"/{attack}")
                category = categories[number % len(categories)]
                medium = BENCHMARKS[benchmark].modality
                found.append(Asked(name, harmful, complied, attack, category, p if defended else None, medium=medium))
    return found


def write(folder: Path, *logs: EvalLog) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, one in enumerate(logs):
        write_eval_log(one, str(folder / f"2026-01-02T03-04-05_{number}.eval"))
    return folder
