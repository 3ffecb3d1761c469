"""Encodings (after Wei et al. 2023, arXiv 2307.02483) of AdvBench's goals.

A model that cannot read an encoding answers beside the point, which refusal rules take for compliance: have a judge read these.
"""

from __future__ import annotations

from casa.attacks.encodings import ENCODINGS
from casa.evaluation.benchmarks import advbench
from casa.evaluation.benchmarks.base import Conversation, user
from casa.evaluation.benchmarks.derived import SEED, Attack


def _attack(name: str) -> Attack:
    def encoded(query: str) -> Conversation:
        return user(ENCODINGS[name](query, SEED))

    return encoded


BENCHMARK = advbench.under(
    lambda: {name: _attack(name) for name in ENCODINGS}, "encodings", "Encoded goals of AdvBench", len(ENCODINGS)
)
