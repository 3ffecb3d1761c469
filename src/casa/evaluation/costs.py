"""What a suite will take, before it is begun: a judge's tokens and price, and time as earlier logs measured it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from casa.evaluation.logs import benchmark_facts, file_name, find_logs, read_log
from casa.evaluation.suite import Planned

CHARACTERS_A_TOKEN = 4  # of English, in common tokenizers
_RUBRIC_CHARACTERS = 700  # the longest of `harness.judges`
_REPLY_TOKENS = 32
_HARMFUL_CALLS, _HARMLESS_CALLS = 2, 1  # judgements of an item


@dataclass(frozen=True)
class JudgeCost:
    """What a judge does at most.

    Attributes:
        calls: judgements.
        tokens_read: rubrics, requests and answers, estimated from their characters.
        tokens_written: replies.
    """

    calls: int
    tokens_read: int
    tokens_written: int

    def dollars(self, read: float, written: float) -> float:
        """The price, from prices of a million tokens."""
        return (self.tokens_read * read + self.tokens_written * written) / 1e6


def judge_cost(planned: Sequence[Planned], models: int, max_tokens: int) -> JudgeCost:
    """The cost of judging every answer of so many models, each as long as it may be."""
    calls = tokens = 0
    for one in planned:
        n = models * (_HARMFUL_CALLS * one.harmful + _HARMLESS_CALLS * (one.items - one.harmful))
        request = one.characters / max(one.items, 1)
        calls += n
        tokens += round(n * ((_RUBRIC_CHARACTERS + request) / CHARACTERS_A_TOKEN + max_tokens))
    return JudgeCost(calls, tokens, calls * _REPLY_TOKENS)


def seconds_an_item(places: Sequence[Path]) -> dict[tuple[str, str], float]:
    """How long each item of finished logs took, by model and benchmark; items that were answered at once share the time.

    Raises:
        DataError: there are no logs, or one is not of our benchmarks.
    """
    found = {}
    for name in find_logs(places):
        log = read_log(name, header_only=True)
        items = log.results.completed_samples if log.results else 0
        if log.status == "success" and items:
            begun, ended = (datetime.fromisoformat(str(at)) for at in (log.stats.started_at, log.stats.completed_at))
            benchmark = benchmark_facts(log, file_name(name))["benchmark"]
            found[log.eval.model, benchmark] = (ended - begun).total_seconds() / items
    return found


def expected_seconds(
    planned: Sequence[Planned], models: Sequence[str], timed: Mapping[tuple[str, str], float]
) -> tuple[float, int]:
    """Time for what was timed, and how many items were not."""
    seconds, untimed = 0.0, 0
    for one in planned:
        for model in models:
            if (model, one.benchmark) in timed:
                seconds += one.items * timed[model, one.benchmark]
            else:
                untimed += one.items
    return seconds, untimed
