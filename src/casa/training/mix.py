"""The training mix: both classes wrapped alike, every malicious query with a varied refusal."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from casa.data.reading import Example, Template
from casa.errors import DataError

_MOST_WORDS = 40  # of an answer that serves as small talk


def wrap(
    examples: Sequence[Example],
    jailbreaks: Sequence[Template],
    neutral: Sequence[Template],
    jailbreak_share: float,
    neutral_share: float,
    seed: int,
) -> list[Example]:
    """Puts a share of the examples into framings, the same share of either class, so that no framing tells the label.

    A malicious query and its look-alike (one group) get the same framing.

    Args:
        examples: queries.
        jailbreaks: jailbreak framings.
        neutral: harmless framings.
        jailbreak_share: share of examples to wrap in a jailbreak framing, in [0, 1].
        neutral_share: share to wrap in a harmless one, in [0, 1].
        seed: of the random choice.
    """
    wrapped = []
    for example in examples:
        rng = random.Random(f"{seed} {example.group}")  # one's framing does not depend on the others
        draw = rng.random()
        pool = jailbreaks if draw < jailbreak_share else neutral if draw < jailbreak_share + neutral_share else ()
        if pool:
            template = rng.choice(pool)
            text = template.fill(example.text)
            example = replace(
                example, id=f"{example.id}@{template.id}", text=text, kind=f"{example.kind}+{template.family}"
            )
        wrapped.append(example)
    return wrapped


def bury(
    examples: Sequence[Example], share: float, paragraphs: Sequence[str], most_paragraphs: int, seed: int
) -> list[Example]:
    """Puts a share of either class as a paragraph of its own into harmless text, a group's examples into the same one.

    Args:
        examples: queries.
        share: of the examples, in [0, 1].
        paragraphs: harmless text.
        most_paragraphs: round a query; how many is drawn evenly on a logarithmic scale.
        seed: of the random choice.
    """
    mixed = []
    for example in examples:
        rng = random.Random(f"{seed} bury {example.group}")
        if rng.random() < share:
            text = rng.choices(paragraphs, k=round(most_paragraphs ** rng.random()))
            text.insert(rng.randint(0, len(text)), example.text)
            example = replace(example, id=f"{example.id}@text", text="\n\n".join(text), kind=f"{example.kind}+buried")
        mixed.append(example)
    return mixed


def after_small_talk(examples: Sequence[Example], share: float, seed: int) -> list[Example]:
    """Puts one or two harmless exchanges before a share of either class, so that the verdict is about the last message.

    Args:
        examples: queries; the plain benign ones that have an answer serve as exchanges.
        share: in [0, 1].
        seed: of the random choice.
    """
    answered = [(e.text, e.answer) for e in examples if e.kind == "plain" and not e.malicious and e.answer]
    exchanges = [(question, answer) for question, answer in answered if len(answer.split()) <= _MOST_WORDS]
    mixed = []
    for example in examples:
        rng = random.Random(f"{seed} small talk {example.id}")
        if exchanges and rng.random() < share:
            drawn = rng.sample(exchanges, min(rng.randint(1, 2), len(exchanges)))
            example = replace(example, id=f"{example.id}@turns", earlier=tuple(drawn))
        mixed.append(example)
    return mixed


def with_agreeing_openings(
    examples: Sequence[Example], share: float, openings: Sequence[str], seed: int
) -> list[Example]:
    """Has a share of the refusals follow the beginning of an agreeing answer, so that a prefill does not undo them.

    Args:
        examples: both classes; benign ones stay as they are.
        share: of the malicious ones, in [0, 1].
        openings: agreeing answers, cut after some words at random.
        seed: of the random choice.
    """
    mixed = []
    for example in examples:
        rng = random.Random(f"{seed} opening {example.id}")
        if example.malicious and rng.random() < share:
            words = rng.choice(openings).split()
            example = replace(example, given=" ".join(words[: rng.randint(1, len(words))]))
        mixed.append(example)
    return mixed


def with_refusals(
    examples: Sequence[Example], seed: int, variety: int | None = None, others: Sequence[str] = ()
) -> list[Example]:
    """Gives malicious queries without a refusal one of the others' refusals.

    Args:
        examples: both classes.
        seed: of the random choice.
        variety: how many different refusals to draw from; None for all.
        others: refusals to draw from where the examples have none.

    Raises:
        DataError: no refusal in the data at all.
    """
    rng = random.Random(seed)
    pool = sorted({e.answer for e in examples if e.malicious and e.answer} or set(others))
    if not pool and any(e.malicious for e in examples):
        raise DataError("no malicious example has a refusal to learn from")
    chosen = pool if variety is None else rng.sample(pool, min(variety, len(pool)))
    keep = set(chosen)
    return [
        replace(e, answer=rng.choice(chosen)) if e.malicious and (e.answer is None or e.answer not in keep) else e
        for e in examples
    ]


def apart_by_answer(examples: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """A share of the examples with their answers, and the others without, which teach the verdict alone.

    Args:
        examples: both classes.
        share: of those whose answer is taught, in [0, 1]; a refusal after a given beginning always is.
        seed: of the random choice.
    """
    answered, verdict_only = [], []
    for example in examples:
        if example.given or random.Random(f"{seed} answer {example.id}").random() < share:
            answered.append(example)
        else:
            verdict_only.append(replace(example, answer=None))
    return answered, verdict_only
