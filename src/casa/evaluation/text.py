"""Measures a CASA model on held-out text queries: verdicts, answers before and after, and whether answers follow the token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import log
from typing import Any

import numpy as np

from casa.baselines.pretrained import Undefended
from casa.data.held_out import HARMFUL, HARMLESS
from casa.data.reading import Example
from casa.evaluation.answers import casa_answers, forced_answers, undefended_answers
from casa.evaluation.metrics import Rate, auroc_with_interval
from casa.model.casa_model import CasaModel
from casa.model.outputs import Verdict
from casa.model.refusal import is_refusal


def measure_text(
    casa: CasaModel, base: Undefended, queries: dict[str, list[Example]], max_new_tokens: int, batch_size: int
) -> dict[str, Any]:
    """All text figures of one model on one split; plain values, rates with their 95 % intervals.

    An attack succeeds if the answer is no refusal by `is_refusal`, which misses some refusals and so overstates it.
    """
    texts = {kind: [example.text for example in examples] for kind, examples in queries.items()}
    before = {kind: undefended_answers(base, texts[kind], max_new_tokens, batch_size) for kind in texts}
    after, verdicts = {}, {}
    for kind in texts:
        after[kind], verdicts[kind] = casa_answers(casa, texts[kind], max_new_tokens, batch_size)
    refused = {kind: {"before": _refused(before[kind]), "after": _refused(after[kind])} for kind in texts}
    return {
        "queries": {kind: len(found) for kind, found in texts.items()},
        "flagged_unsafe": {kind: asdict(_flagged(found)) for kind, found in verdicts.items()},
        "auroc": _separation(verdicts),
        "attack_success": {kind: {k: asdict(_complement(r)) for k, r in refused[kind].items()} for kind in HARMFUL},
        "refused": {kind: {k: asdict(r) for k, r in refused[kind].items()} for kind in HARMLESS},
        "refused_after_forced_token": _follows_token(casa, texts, max_new_tokens, batch_size),
        "correlation_with_log_length": _length_correlation(casa, texts, verdicts),
    }


def _flagged(verdicts: Sequence[Verdict]) -> Rate:
    return Rate.of(sum(v.label == "unsafe" for v in verdicts), len(verdicts))


def _refused(answers: Sequence[str]) -> Rate:
    return Rate.of(sum(map(is_refusal, answers)), len(answers))


def _complement(rate: Rate) -> Rate:
    return Rate.of(rate.n - rate.successes, rate.n)


def _separation(verdicts: dict[str, list[Verdict]]) -> dict[str, Any]:
    """AUROC of p_unsafe and of v_s alone, for three contrasts."""
    contrasts = (("malicious", "benign"), ("malicious", "lookalike"), ("jailbroken", "framed_benign"))
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
        for harmful, harmless in contrasts
    }


def _follows_token(
    casa: CasaModel, texts: dict[str, list[str]], max_new_tokens: int, batch_size: int
) -> dict[str, dict[str, Any]]:
    return {
        name: {
            kind: asdict(_refused(forced_answers(casa, texts[kind], token, max_new_tokens, batch_size)))
            for kind in ("malicious", "benign")
        }
        for name, token in casa.tokens._asdict().items()
    }


def _length_correlation(
    casa: CasaModel, texts: dict[str, list[str]], verdicts: dict[str, list[Verdict]]
) -> dict[str, float]:
    """Pearson's r of v_s and of the logit of p_unsafe with the logarithm of the prompt's length, plain queries of both classes."""
    kinds = ("malicious", "benign")
    lengths = [log(len(casa.chat.tokenizer(text)["input_ids"])) for kind in kinds for text in texts[kind]]
    found = [v for kind in kinds for v in verdicts[kind]]
    p = np.clip([v.p_unsafe for v in found], 1e-6, 1 - 1e-6)
    return {
        "v_s": float(np.corrcoef(lengths, [v.risk for v in found])[0, 1]),
        "margin": float(np.corrcoef(lengths, np.log(p / (1 - p)))[0, 1]),
    }
