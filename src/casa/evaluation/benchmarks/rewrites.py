"""Rewrites (after Andriushchenko & Flammarion 2024, arXiv 2407.11969) of AdvBench's goals: about another time, or in other words.

The mini set has rewrites by hand too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from casa.attacks.rewrites import REWRITES
from casa.data.reading import hand_rewrites
from casa.evaluation.benchmarks import advbench
from casa.evaluation.benchmarks.base import Conversation, Item, Queries, user
from casa.evaluation.benchmarks.derived import BOTH, SEED, Attack, asked, attacked


def _attack(name: str) -> Attack:
    def rewritten(query: str) -> Conversation:
        return user(REWRITES[name](query, SEED))

    return rewritten


ATTACKS = {name: _attack(name) for name in REWRITES}


def mini(queries: Queries) -> Iterator[Item]:
    """The project's queries, harmless ones too, rewritten by rules, and those rewritten by hand that there are."""
    yield from attacked(asked(queries, *BOTH), ATTACKS)
    known = {query.id: query for kind in BOTH for query in queries[kind]}
    for rewrite in hand_rewrites():
        if query := known.get(rewrite.group):
            name = f"{rewrite.kind.replace('_', ' ')} by hand"
            yield Item(rewrite.id, user(rewrite.text), query.text, query.malicious, query.source, name)


BENCHMARK = replace(advbench.under(lambda: ATTACKS, "rewrites", "Rewritten goals of AdvBench", len(ATTACKS)), mini=mini)
