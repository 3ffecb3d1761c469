"""Items that several benchmarks share: the project's queries simply asked, and goals under attacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from casa.evaluation.benchmarks.base import Conversation, Item, Queries, user

Attack = Callable[[str], Conversation]
SEED = 0  # of all that benchmarks draw
BOTH = ("malicious", "benign")  # attacks come on harmless queries too, or refusing every picture would win
HARMLESS_EVERY = 2  # a harmless query comes under every second attack only, so that mini sets stay short


def asked(queries: Queries, *kinds: str) -> Iterator[Item]:
    """The project's queries of some kinds, with no attack; their category is the scenario."""
    for kind in kinds:
        for query in queries[kind]:
            yield Item(query.id, user(query.text), query.text, query.malicious, query.source)


def framed(queries: Queries, name: str, put: Attack = user) -> Iterator[Item]:
    """The project's queries inside jailbreak framings, harmless ones too; the goal is the query without its framing.

    Args:
        queries: by kind.
        name: of the attack.
        put: how the framed text is put.
    """
    plain = {query.id: query for kind in BOTH for query in queries[kind]}
    for query in (*queries["jailbroken"], *queries["framed_benign"][::HARMLESS_EVERY]):
        goal = plain[query.id.rpartition("@")[0]]
        yield Item(query.id, put(query.text), goal.text, goal.malicious, goal.source, name)


def attacked(items: Iterable[Item], attacks: Mapping[str, Attack]) -> Iterator[Item]:
    """The goal of every harmful item under every attack, of harmless ones under every `HARMLESS_EVERY`th in turns.

    So each attack comes on some harmless goals, and each harmless goal under some attack, where there are several. Ids end in
    the attack's name.
    """
    harmless = 0
    for item in items:
        for place, (name, attack) in enumerate(attacks.items()):
            if item.harmful or (harmless + place) % HARMLESS_EVERY == 0:
                yield replace(item, id=f"{item.id}/{name}", messages=attack(item.goal), attack=name)
        harmless += not item.harmful
