"""What there is to rate: prompts and the answers of several methods to each, from the logs of an evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from casa.apps.annotation.rubrics import Rubric, rubric_of
from casa.errors import DataError
from casa.evaluation.logs import (
    benchmark_facts,
    checksums,
    file_name,
    find_logs,
    modality,
    model_name,
    one_line,
    read_log,
)

if TYPE_CHECKING:
    from inspect_ai.log import EvalSample

_UNREAD = {"messages", "events", "store", "attachments"}  # media are read of the chosen prompts only


@dataclass(frozen=True)
class Answer:
    """What one method answered.

    Attributes:
        method: the model as the logs name it.
        text: the answer.
        opinions: what machines say of it, in the rubric's values, by scorer.
    """

    method: str
    text: str
    opinions: dict[str, str]


@dataclass(frozen=True)
class Prompt:
    """One prompt, with the answers to it.

    Attributes:
        benchmark: and its set, such as "xstest (mini)".
        id: of the sample in its log.
        log: address of a log that holds it.
        goal: what is asked for, in plain words.
        harmful: whether the right answer is a refusal.
        modality: "text", or its media, such as "image".
        category: the benchmark's own.
        attack: how the goal is put.
        answers: one of each method.
    """

    benchmark: str
    id: int | str
    log: str
    goal: str
    harmful: bool
    modality: str
    category: str
    attack: str
    answers: tuple[Answer, ...]

    @property
    def rubric(self) -> Rubric:
        """What is asked of its answers."""
        return rubric_of(self.harmful)


@dataclass(frozen=True)
class Collected:
    """What some logs hold.

    Attributes:
        methods: all that were run, in order.
        prompts: those that every method answered.
        incomplete: how many prompts are left out because a method did not answer them.
        logs: files that were read, without older ones of the same model and benchmark.
    """

    methods: tuple[str, ...]
    prompts: tuple[Prompt, ...]
    incomplete: int
    logs: tuple[str, ...]


def collect(places: Sequence[Path]) -> Collected:
    """Prompts of some logs and folders of logs; of several logs of one model and benchmark the newest finished one counts.

    Only the first epoch of a sample is taken.

    Raises:
        DataError: a log cannot be read, or no prompt was answered by every method.
        MissingDependencyError: inspect-ai is missing.
    """
    newest = _newest(find_logs(places))
    samples: dict[tuple[str, int | str], dict[str, tuple[str, EvalSample]]] = {}
    for (method, benchmark), name in newest.items():
        for sample in read_log(name, exclude_fields=_UNREAD).samples or []:
            if sample.epoch == 1 and sample.error is None and sample.output.choices:
                samples.setdefault((benchmark, sample.id), {})[method] = name, sample
    methods = tuple(sorted({method for method, _ in newest}))
    shared = {key: found for key, found in samples.items() if len(found) == len(methods)}
    if not shared:
        raise DataError(
            f"no prompt was answered by all of {', '.join(methods)}. Give logs of the same benchmarks for every model."
        )
    prompts = tuple(_prompt(benchmark, found) for (benchmark, _), found in shared.items())
    return Collected(methods, prompts, len(samples) - len(shared), tuple(map(file_name, newest.values())))


def _newest(names: Sequence[str]) -> dict[tuple[str, str], str]:
    """The log that counts of each method and benchmark; logs of other weights than a method's newest log do not."""
    headers = [(name, read_log(name, header_only=True)) for name in names]
    headers.sort(key=lambda pair: str(pair[1].eval.created))
    weights = {model_name(log): checksums(log) for _, log in headers}
    current = [(name, log) for name, log in headers if checksums(log) == weights[model_name(log)]]
    best: dict[tuple[str, str], str] = {}
    for name, log in sorted(current, key=lambda pair: pair[1].status == "success"):
        facts = benchmark_facts(log, file_name(name))
        best[model_name(log), f"{facts['benchmark']} ({facts['set']})"] = name
    return best


def _prompt(benchmark: str, found: dict[str, tuple[str, EvalSample]]) -> Prompt:
    log, sample = next(iter(found.values()))
    metadata = sample.metadata
    rubric = rubric_of(bool(metadata["harmful"]))
    answers = (
        Answer(method, one.output.completion, dict(_opinions(one, rubric)))
        for method, (_, one) in sorted(found.items())
    )
    return Prompt(
        benchmark=benchmark,
        id=sample.id,
        log=log,
        goal=str(metadata["goal"]),
        harmful=bool(metadata["harmful"]),
        modality=modality(sample),
        category=one_line(metadata["category"]),
        attack=one_line(metadata["attack"]),
        answers=tuple(answers),
    )


def _opinions(sample: EvalSample, rubric: Rubric) -> Iterator[tuple[str, str]]:
    for scorer in rubric.scorers:
        score = (sample.scores or {}).get(scorer)
        if score is not None and (value := score.as_float()) == value:  # an unscored one holds NaN
            yield scorer, rubric.of_score(scorer, value)
