"""What logs of a suite say: rates by model, benchmark and attack, harmful and harmless items apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from casa.evaluation.goals import goal_rate
from casa.evaluation.logs import modality
from casa.evaluation.metrics import Rate

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog

EMPTY = "empty_answer"  # why an item is unscored that was answered with nothing
JUDGEMENTS = ("judged_success", "strongreject", "judged_utility")  # names of the scorers in `harness.judges`


@dataclass(frozen=True)
class Answered:
    """One item and what a model did with it.

    Attributes:
        model: as inspect-ai names it.
        benchmark: its name.
        id: of the item.
        category: of the item.
        attack: of the item.
        goal: what the item asks for; several items may have the same.
        modality: what the item holds: "text" alone, or its media, such as "image" or "audio+image".
        harmful: whether it should be refused.
        complied: whether the answer is no refusal; None if it could not be told.
        p_unsafe: of the verdict; None if the model gives none.
        risk: v_s; None likewise.
        flagged: whether the verdict is "unsafe"; None likewise.
        right: whether a yes-or-no question was answered rightly; None where there is none.
        judged: what a judge says, by the scorer's name; without those that it gave no judgement on.
        unjudged: scorers of a judge that applied to the item and gave no judgement.
        empty: whether nothing was answered, which is neither a refusal nor an answer.
        picture: kind of the item's picture, where its set names one.
    """

    model: str
    benchmark: str
    id: str
    category: str
    attack: str
    goal: str
    modality: str
    harmful: bool
    complied: bool | None
    p_unsafe: float | None
    risk: float | None
    flagged: bool | None
    right: bool | None = None
    judged: Mapping[str, float] = field(default_factory=dict)
    unjudged: tuple[str, ...] = ()
    empty: bool = False
    picture: str | None = None


@dataclass(frozen=True)
class Row:
    """Rates of one model on one part of a benchmark.

    Attributes:
        model: which.
        benchmark: which.
        attack: which, "all" for the whole benchmark.
        harmful: whether these are the harmful items.
        complied: attack success on harmful items, answers on harmless ones; None if none could be told.
        flagged: how many were called unsafe; None for a model without verdicts.
        unscored: items whose answer could not be told, which no rate counts.
    """

    model: str
    benchmark: str
    attack: str
    harmful: bool
    complied: Rate | None
    flagged: Rate | None
    unscored: int


def answered(logs: Iterable[EvalLog]) -> Iterator[Answered]:
    """Every scored sample of some logs.

    Raises:
        ValueError: a log is not of one of our benchmarks.
    """
    for log in logs:
        if "benchmark" not in (log.eval.metadata or {}):
            raise ValueError(f"the log of {log.eval.task} is not of one of casa's benchmarks")
        for sample in log.samples or []:
            scores = sample.scores or {}
            verdict = _score(scores, "flagged")
            metadata: dict[str, Any] = (verdict.metadata or {}) if verdict else {}
            complied = _score(scores, "complied")
            yield Answered(
                model=log.eval.model,
                benchmark=str((log.eval.metadata or {})["benchmark"]),
                id=str(sample.id),
                category=str(sample.metadata["category"]),
                attack=str(sample.metadata["attack"]),
                goal=str(sample.metadata["goal"]),
                modality=modality(sample),
                harmful=bool(sample.metadata["harmful"]),
                complied=None if complied is None else complied.value == 1,
                p_unsafe=metadata.get("p_unsafe"),
                risk=metadata.get("risk"),
                flagged=None if verdict is None else verdict.value == 1,
                right=None if (right := _score(scores, "right")) is None else right.value == 1,
                judged={name: float(found.value) for name in JUDGEMENTS if (found := _score(scores, name)) is not None},
                unjudged=tuple(name for name in JUDGEMENTS if _gave_none(scores.get(name))),
                empty="complied" in scores and scores["complied"].reason == EMPTY,
                picture=sample.metadata.get("picture"),
            )


def _gave_none(score: Any) -> bool:
    return score is not None and score.value != score.value and score.reason != "not_applicable"


def _score(scores: dict[str, Any], name: str) -> Any:
    """A score that has a value; an unscored one holds NaN."""
    score = scores.get(name)
    return None if score is None or score.value != score.value else score


def rows(found: Sequence[Answered]) -> list[Row]:
    """Rates by model, benchmark and attack, and over all attacks where there are several; in order of appearance."""
    groups: dict[tuple[str, str, bool], dict[str, list[Answered]]] = {}
    for one in found:
        groups.setdefault((one.model, one.benchmark, one.harmful), {}).setdefault(one.attack, []).append(one)
    result = []
    for (model, benchmark, harmful), by_attack in groups.items():
        parts = {"all": [one for members in by_attack.values() for one in members]}
        for attack, members in (parts | (by_attack if len(by_attack) > 1 else {})).items():
            complied, flagged = rate_of(members, "complied"), rate_of(members, "flagged")
            unscored = sum(m.complied is None for m in members)
            result.append(Row(model, benchmark, attack, harmful, complied, flagged, unscored))
    return result


def rate_of(found: Sequence[Answered], what: str) -> Rate | None:
    """How often "complied" or "flagged" is true, with goals drawn for its interval; None where it is never known."""
    known = [(value, one.goal) for one in found if (value := getattr(one, what)) is not None]
    return goal_rate([value for value, _ in known], [goal for _, goal in known]) if known else None
