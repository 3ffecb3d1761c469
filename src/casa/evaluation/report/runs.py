"""Logs as runs: one model on one benchmark, with everything that a report says of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from casa.evaluation.logs import benchmark_facts, checksums, file_name, find_logs, model_name, one_line, read_log
from casa.evaluation.summary import Answered, answered

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog

_UNREAD = {"output", "messages", "events", "store", "attachments"}  # these hold answers; a report needs none
_LONGEST_ERROR = 200


@dataclass(frozen=True)
class Run:
    """One model on one benchmark.

    Attributes:
        file: name of the log.
        model: as inspect-ai names it, with the arguments that change what it does.
        undefended: the same model without its defence.
        checksums: tell it from another model of the same name; empty where they are not known.
        benchmark: its name.
        set: "mini" or "official".
        measures: what the benchmark measures.
        status: "success", or how the run ended.
        error: that ended it, or None.
        created: when it began.
        planned: items that were to be asked.
        settings: of the run, by name.
        answered: its items, under the benchmark's `label`.
        errors: how many items failed.
        seconds: each item took.
        tokens: read and written for each item, where the model counts them.
    """

    file: str
    model: str
    undefended: str
    checksums: dict[str, str]
    benchmark: str
    set: str
    measures: str
    status: str
    error: str | None
    created: str
    planned: int
    settings: dict[str, str]
    answered: tuple[Answered, ...]
    errors: int
    seconds: tuple[float, ...]
    tokens: tuple[tuple[int, int], ...]

    @property
    def label(self) -> str:
        """The benchmark and its set, for numbers on mini sets are no numbers on official ones."""
        return f"{self.benchmark} ({self.set})"

    @property
    def unscored(self) -> int:
        """Items whose answer could not be told."""
        return sum(one.complied is None for one in self.answered)

    @property
    def failed_verdicts(self) -> int:
        """Items whose verdict is not finite, which the model counts as unsafe."""
        return sum(one.flagged is not None and not finite(one) for one in self.answered)


def finite(one: Answered) -> bool:
    """Whether an item has a verdict with numbers; methods other than CASA have no v_s."""
    numbers = (one.p_unsafe, one.p_unsafe if one.risk is None else one.risk)
    return all(value is not None and math.isfinite(value) for value in numbers)


def read_runs(places: Sequence[Path]) -> list[Run]:
    """Every log in some folders, or of some files.

    Raises:
        DataError: there is none, or one cannot be read or is not of our benchmarks.
        MissingDependencyError: inspect-ai is missing.
    """
    return [run_of(read_log(name, exclude_fields=_UNREAD), file_name(name)) for name in find_logs(places)]


def run_of(log: EvalLog, file: str) -> Run:
    """What a log says.

    Raises:
        DataError: it is not of one of our benchmarks.
    """
    facts = benchmark_facts(log, file)
    samples = log.samples or []
    run = Run(
        file=one_line(file),
        model=model_name(log),
        undefended=one_line(f"undefended/{log.eval.model.partition('/')[2]}"),
        checksums=checksums(log),
        benchmark=facts["benchmark"],
        set=facts["set"],
        measures=facts["measures"],
        status=log.status,
        error=one_line(log.error.message)[:_LONGEST_ERROR] if log.error else None,
        created=str(log.eval.created),
        planned=len(log.eval.dataset.sample_ids or samples),
        settings=_settings(log),
        answered=(),
        errors=sum(sample.error is not None for sample in samples),
        seconds=tuple(s for sample in samples if (s := sample.working_time or sample.total_time) is not None),
        tokens=tuple((use.input_tokens, use.output_tokens) for s in samples for use in s.model_usage.values()),
    )
    return replace(run, answered=tuple(_named(one, run) for one in answered([log])))


def _named(one: Answered, run: Run) -> Answered:
    return replace(
        one, model=run.model, benchmark=run.label, category=one_line(one.category), attack=one_line(one.attack)
    )


def _settings(log: EvalLog) -> dict[str, str]:
    decoding, arguments = log.eval.model_generate_config, log.eval.task_args
    made_on = dict((log.eval.metadata or {}).get("environment", {}))
    machine = made_on.pop("machine", "not recorded")
    packages = ", ".join(f"{name} {version}" for name, version in {**log.eval.packages, **made_on}.items())
    revision = log.eval.revision
    commit = "not recorded" if revision is None else revision.commit + (" with changes" if revision.dirty else "")
    settings = {
        "longest answer, in tokens": decoding.max_tokens or "the model's default",
        "temperature": decoding.temperature or "0 (greedy) for casa and undefended, else the model's default",
        "conversations at once": log.eval.model_args.get("batch_size", "the model's default"),
        "queries of each kind in mini sets": arguments.get("queries") or "all",
        "most items of a benchmark": log.eval.config.limit or "all",
        "machine": machine,
        "versions": packages or "not recorded",
        "commit": commit,
    }
    return {name: one_line(value) for name, value in settings.items()}
