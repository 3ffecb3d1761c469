"""Measures a CASA model on held-out text queries: verdicts, answers before and after, and whether answers follow the token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import log
from typing import Any

import numpy as np

from casa.baselines.pretrained import Undefended
from casa.data.held_out import CONTRASTS, HARMFUL, HARMLESS
from casa.data.reading import Example
from casa.evaluation.answers import as_conversations, casa_answers, forced_answers, undefended_answers
from casa.evaluation.metrics import Rate, agreement, auroc_with_interval
from casa.model.casa_model import CasaModel
from casa.model.outputs import Verdict
from casa.model.refusal import is_refusal


def texts_answered_before(
    base: Undefended, queries: dict[str, list[Example]], max_new_tokens: int, batch_size: int
) -> dict[str, list[str]]:
    """The undefended model's answers to queries of each kind."""
    return {
        kind: undefended_answers(base, as_conversations([e.text for e in found]), max_new_tokens, batch_size)
        for kind, found in queries.items()
    }


def measure_text(
    casa: CasaModel,
    before: dict[str, list[str]],
    queries: dict[str, list[Example]],
    max_new_tokens: int,
    batch_size: int,
) -> dict[str, Any]:
    """All text figures of one model on one split; plain values, rates with their 95 % intervals.

    `before` are the answers without CASA.

    An attack succeeds if the answer is no refusal by `is_refusal`, which misses some refusals and so overstates it.
    """
    chats = {kind: as_conversations([example.text for example in found]) for kind, found in queries.items()}
    after, verdicts = {}, {}
    for kind, found in chats.items():
        after[kind], verdicts[kind] = casa_answers(casa, found, max_new_tokens, batch_size)
    refused = {kind: {"before": refusal_rate(before[kind]), "after": refusal_rate(after[kind])} for kind in chats}
    lengths = {kind: _token_counts(casa, found) for kind, found in queries.items()}
    return {
        "queries": {kind: len(found) for kind, found in chats.items()},
        "flagged_unsafe": {kind: asdict(flagged_rate(found)) for kind, found in verdicts.items()},
        "flagged_by_source": _flagged_by_source(queries, verdicts),
        "auroc": _separation(verdicts),
        "attack_success": {kind: {k: asdict(complement(r)) for k, r in refused[kind].items()} for kind in HARMFUL},
        "refused": {kind: {k: asdict(r) for k, r in refused[kind].items()} for kind in HARMLESS},
        "refused_after_forced_token": _follows_token(casa, chats, max_new_tokens, batch_size),
        "correlation_with_log_length": _length_correlation(lengths, verdicts),
        "utility": {kind: asdict(agreement(before[kind], after[kind])) for kind in ("benign", "lookalike")},
        "scores": {kind: _scores(lengths[kind], found) for kind, found in verdicts.items()},
    }


def flagged_rate(verdicts: Sequence[Verdict]) -> Rate:
    """How many verdicts say "unsafe"."""
    return Rate.of(sum(v.label == "unsafe" for v in verdicts), len(verdicts))


def _flagged_by_source(
    queries: dict[str, list[Example]], verdicts: dict[str, list[Verdict]]
) -> dict[str, dict[str, Any]]:
    """Share of the plain queries called unsafe, by source (a scenario of the seed data) and label."""
    found: dict[str, dict[str, list[Verdict]]] = {}
    for kind in ("malicious", "benign", "lookalike"):
        for example, verdict in zip(queries[kind], verdicts[kind], strict=True):
            label = "malicious" if example.malicious else "benign"
            found.setdefault(example.source, {}).setdefault(label, []).append(verdict)
    return {
        source: {label: asdict(flagged_rate(of)) for label, of in sorted(by_label.items())}
        for source, by_label in sorted(found.items())
    }


def refusal_rate(answers: Sequence[str]) -> Rate:
    """How many answers are refusals by the rules."""
    return Rate.of(sum(map(is_refusal, answers)), len(answers))


def complement(rate: Rate) -> Rate:
    """The rate of the opposite."""
    return Rate.of(rate.n - rate.successes, rate.n)


def _token_counts(casa: CasaModel, examples: Sequence[Example]) -> list[int]:
    return [len(casa.chat.tokenizer(example.text)["input_ids"]) for example in examples]


def _scores(lengths: Sequence[int], verdicts: Sequence[Verdict]) -> dict[str, list[float]]:
    """What the plots are drawn from: each query's tokens, p_unsafe and v_s."""
    return {
        "tokens": list(lengths),
        "p_unsafe": [round(v.p_unsafe, 5) for v in verdicts],
        "v_s": [round(v.risk, 5) for v in verdicts],
    }


def _separation(verdicts: dict[str, list[Verdict]]) -> dict[str, Any]:
    """AUROC of p_unsafe and of v_s alone, for three contrasts."""
    return {
        f"{harmful} against {harmless}": {
            name: asdict(
                auroc_with_interval(
                    [getattr(v, attribute) for v in verdicts[harmful]],
                    [getattr(v, attribute) for v in verdicts[harmless]],
                )
            )
            for name, attribute in (("p_unsafe", "p_unsafe"), ("v_s", "risk"))
        }
        for harmful, harmless in CONTRASTS
    }


def _follows_token(
    casa: CasaModel, chats: dict[str, list[Any]], max_new_tokens: int, batch_size: int
) -> dict[str, dict[str, Any]]:
    return {
        name: {
            kind: asdict(refusal_rate(forced_answers(casa, chats[kind], token, max_new_tokens, batch_size)))
            for kind in ("malicious", "benign")
        }
        for name, token in casa.tokens._asdict().items()
    }


def _length_correlation(lengths: dict[str, list[int]], verdicts: dict[str, list[Verdict]]) -> dict[str, float]:
    """Pearson's r of v_s and of the logit of p_unsafe with the logarithm of the prompt's length, plain queries of both classes."""
    kinds = ("malicious", "benign")
    logs = [log(n) for kind in kinds for n in lengths[kind]]
    found = [v for kind in kinds for v in verdicts[kind]]
    p = np.clip([v.p_unsafe for v in found], 1e-6, 1 - 1e-6)
    return {
        "v_s": float(np.corrcoef(logs, [v.risk for v in found])[0, 1]),
        "margin": float(np.corrcoef(logs, np.log(p / (1 - p)))[0, 1]),
    }
