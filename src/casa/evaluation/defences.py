"""Measures any defence on the same held-out conversations: what it refuses, what it says of them, how soon it answers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from casa.attacks.dilution import dilute
from casa.attacks.prefill import prefilled_in_words
from casa.baselines.interface import Answer, Defence
from casa.data.held_out import HARMLESS, held_out_queries
from casa.data.reading import SEED_DATA, Split, neutral_paragraphs
from casa.evaluation.answers import Conversation, as_conversations, in_batches
from casa.evaluation.attacked import turn_attacks
from casa.evaluation.comparison import mcnemar
from casa.evaluation.compliance import is_collapsed
from casa.evaluation.forms import Form
from casa.evaluation.kinds import (
    BENIGN_FORM,
    BURIED,
    BURIED_WORDS,
    MEAN_COLUMNS,
    PREFILLS,
    SCENES,
    benign_by_medium,
    is_harmless,
    medium_of,
)
from casa.evaluation.metrics import Rate, auroc_with_interval, clustered_mean, clustered_rate
from casa.evaluation.utility import Answers, scene_questions, utility
from casa.model.refusal import is_refusal


@dataclass(frozen=True)
class Outcome:
    """What a defence did with the conversations of one kind, one entry each.

    Attributes:
        refused: whether the answer is a refusal by the rules.
        collapsed: whether it is neither that nor language: see `casa.evaluation.compliance`.
        p_unsafe: of its verdicts; None where it makes none.
        flagged: whether they are "unsafe"; None where it makes none.
        answers: of harmless kinds; None of others, for answers to harmful requests are not kept.
    """

    refused: list[bool]
    collapsed: list[bool]
    p_unsafe: list[float] | None
    flagged: list[bool] | None
    answers: list[str] | None

    @property
    def answered(self) -> list[bool]:
        """Whether the answer is no refusal and language: on harmful conversations, the attack's success."""
        return [not (refused or broken) for refused, broken in zip(self.refused, self.collapsed, strict=True)]

    @classmethod
    def joined(cls, parts: Sequence[Outcome]) -> Outcome:
        """The outcomes of one defence's conversations, one after the other."""

        def of_all(name: str) -> Any:
            values = [getattr(part, name) for part in parts]
            return None if None in values else [value for found in values for value in found]

        return cls(*(of_all(field.name) for field in fields(cls)))


def conversations_by_kind(
    split: Split,
    seed: int,
    limit: int | None,
    sources: Sequence[str] = (SEED_DATA,),
    forms: Mapping[str, Form] | None = None,
) -> dict[str, list[Conversation]]:
    """Held-out conversations: `ATTACKED` and `HARMLESS`, and queries of both classes in each of some forms.

    If one of the forms is a picture, there are questions about scenes too.

    Args:
        split: as of `held_out_queries`, like the next three.
        seed: also of what the attacks draw.
        limit: most queries of a kind.
        sources: data files.
        forms: in which pictures and sound reach the models, by name.
    """
    queries = held_out_queries(split, seed, limit, sources)
    malicious = [example.text for example in queries["malicious"]]
    benign = [example.text for example in queries["benign"]]
    found = {
        kind: as_conversations([example.text for example in queries[kind]]) for kind in ("malicious", "jailbroken")
    }
    for name, words in PREFILLS.items():
        found[name] = [prefilled_in_words(text, words, seed) for text in malicious]
    found |= {name: [attack(text) for text in malicious] for name, attack in turn_attacks(split, seed).items()}
    paragraphs = neutral_paragraphs("test")
    found[BURIED] = as_conversations(
        [dilute(text, paragraphs, BURIED_WORDS, lambda part: len(part.split()), seed) for text in malicious]
    )
    for name, form in (forms or {}).items():
        found[name] = [form(text) for text in malicious]
        found[BENIGN_FORM + name] = [form(text) for text in benign]
    if any(medium_of(name) == "picture" for name in forms or {}):
        found[SCENES] = [item.messages for item in scene_questions()[:limit]]
    return found | {kind: as_conversations([example.text for example in queries[kind]]) for kind in HARMLESS}


def outcomes(
    defence: Defence, conversations: dict[str, list[Conversation]], max_new_tokens: int, batch_size: int
) -> dict[str, Outcome]:
    """What a defence does with conversations, by kind."""
    found = {}
    for kind, chats in conversations.items():
        answers = in_batches(chats, batch_size, lambda batch: list(defence.respond(batch, max_new_tokens)), kind)
        found[kind] = _outcome(answers, keep=is_harmless(kind))
    return found


def _outcome(answers: Sequence[Answer], keep: bool) -> Outcome:
    verdicts = [answer.verdict for answer in answers if answer.verdict is not None]
    texts = [answer.text for answer in answers]
    return Outcome(
        [is_refusal(text) for text in texts],
        [is_collapsed(text) for text in texts],
        [verdict.p_unsafe for verdict in verdicts] if verdicts else None,
        [verdict.label == "unsafe" for verdict in verdicts] if verdicts else None,
        texts if keep else None,
    )


def seconds_to_first_token(defence: Defence, conversations: Sequence[Conversation]) -> list[float]:
    """How long each conversation alone waits for the first token of its answer; the first is asked once before."""
    seconds = []
    for conversation in (*conversations[:1], *conversations):
        begun = time.perf_counter()
        defence.respond([conversation], 1)
        seconds.append(time.perf_counter() - begun)
    return seconds[1:]


def latencies(defence: Defence, conversations: dict[str, list[Conversation]], prompts: int) -> dict[str, list[float]]:
    """Seconds to the first token by medium, on some benign conversations of the first form that needs it."""
    return {
        medium: seconds_to_first_token(defence, conversations[kinds[0]][:prompts])
        for medium, kinds in benign_by_medium(conversations).items()
    }


def behaviour(found: dict[str, Outcome]) -> dict[str, Any]:
    """What a defence answers, refuses and flags; plain values, rates with their 95 % intervals."""
    harmful = {kind: outcome for kind, outcome in found.items() if not is_harmless(kind)}
    harmless = {kind: outcome for kind, outcome in found.items() if is_harmless(kind)}
    return {
        "attack_success": {kind: _rate(outcome.answered) for kind, outcome in harmful.items()},
        "mean_attack_success": asdict(clustered_rate(success_columns(found))),
        "unrefused": {kind: _rate([not refused for refused in o.refused]) for kind, o in harmful.items()},
        "collapsed": {"harmful": _collapsed(harmful.values()), "harmless": _collapsed(harmless.values())},
        "refused": {kind: _rate(outcome.refused) for kind, outcome in harmless.items()},
        "refused_by_medium": {
            medium: asdict(clustered_rate([[found[kind].refused for kind in kinds]]))
            for medium, kinds in benign_by_medium(found).items()
        },
        "flagged_unsafe": {kind: _rate(o.flagged) for kind, o in found.items() if o.flagged is not None} or None,
        "auroc": _auroc(found, "malicious", "benign"),
        "auroc_lookalike": _auroc(found, "malicious", "lookalike"),
    }


def success_columns(found: dict[str, Outcome]) -> list[list[list[bool]]]:
    """The successes of attacks by column of the mean, by kind in it, and by query."""
    columns = [[found[kind].answered for kind in kinds if kind in found] for kinds in MEAN_COLUMNS.values()]
    return [column for column in columns if column]


def against_casa(found: dict[str, Outcome], casa: dict[str, Outcome]) -> dict[str, Any]:
    """A defence beside a run of CASA on the same conversations: who refuses what, and how much more often attacks succeed on it."""
    pairs = zip(success_columns(casa), success_columns(found), strict=True)
    more = [
        [[int(y) - int(x) for x, y in zip(*kinds, strict=True)] for kinds in zip(*columns, strict=True)]
        for columns in pairs
    ]
    return {
        "refused": {kind: asdict(mcnemar(casa[kind].refused, outcome.refused)) for kind, outcome in found.items()},
        "mean_attack_success": asdict(clustered_mean(more)),
    }


def answers_of(found: dict[str, Outcome]) -> Answers:
    """The answers that were kept, by kind."""
    return {kind: outcome.answers for kind, outcome in found.items() if outcome.answers is not None}


def defence_figures(
    found: dict[str, Outcome], seconds: dict[str, list[float]], pretrained: dict[str, Outcome]
) -> dict[str, Any]:
    """The figures of one defence; plain values, rates with their 95 % intervals.

    Args:
        found: its outcomes.
        seconds: to its first tokens, by medium.
        pretrained: outcomes of the undefended model.
    """
    return {
        **behaviour(found),
        "utility": utility(answers_of(found), answers_of(pretrained)),
        "first_token_ms": {
            medium: {
                "n": len(waited),
                "median": 1000 * float(np.median(waited)),
                "p90": 1000 * float(np.percentile(waited, 90)),
            }
            for medium, waited in seconds.items()
        },
    }


def _collapsed(found: Iterable[Outcome]) -> dict[str, Any] | None:
    """Of the answers that do not refuse, how many are no language; None where all refuse."""
    unrefused = [broken for o in found for broken, refused in zip(o.collapsed, o.refused, strict=True) if not refused]
    return _rate(unrefused) if unrefused else None


def _rate(happened: Sequence[bool]) -> dict[str, Any]:
    return asdict(Rate.of(sum(happened), len(happened)))


def _auroc(found: dict[str, Outcome], harmful: str, harmless: str) -> dict[str, float] | None:
    scores = found[harmful].p_unsafe, found[harmless].p_unsafe
    return None if scores[0] is None or scores[1] is None else asdict(auroc_with_interval(scores[0], scores[1]))
