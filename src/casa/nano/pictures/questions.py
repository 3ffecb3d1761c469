"""Questions about a scene, each with one short answer that nothing in the scene leaves open."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from casa.nano.pictures.scenes import COLOURS, KINDS, Scene, Shape

APART = 0.15  # share of a side by which centres must differ to be left of, or above, one another
_EDGE, _MIDDLE = 0.4, 0.06  # an outer position is before this share of the side; the middle within this of its half


class Question(NamedTuple):
    """A question and its only right answer."""

    text: str
    answer: str


def questions(scene: Scene, rng: random.Random) -> list[Question]:
    """All that can be asked about the scene without ambiguity, in random order; yes and no are equally often right."""
    asked = [*_counts(scene, rng), *_names(scene), *_positions(scene), *_whether(scene, rng), *_relations(scene, rng)]
    rng.shuffle(asked)
    return asked


def _counts(scene: Scene, rng: random.Random) -> Iterator[Question]:
    colours, kinds = Counter(s.colour for s in scene.shapes), Counter(s.kind for s in scene.shapes)
    yield Question("How many shapes are there?", str(len(scene.shapes)))
    for colour in sorted({*colours, rng.choice(sorted(COLOURS))}):
        yield Question(f"How many {colour} shapes are there?", str(colours[colour]))
    for kind in sorted({*kinds, rng.choice(KINDS)}):
        yield Question(f"How many {_plural(kind)} are there?", str(kinds[kind]))


def _names(scene: Scene) -> Iterator[Question]:
    for shape in scene.shapes:
        if _only(scene, kind=shape.kind):
            yield Question(f"What colour is the {shape.kind}?", shape.colour)
        if _only(scene, colour=shape.colour):
            yield Question(f"What shape is {shape.colour}?", shape.kind)


def _positions(scene: Scene) -> Iterator[Question]:
    for shape in _unique(scene):
        down = _third(shape.y / scene.height, "top", "bottom")
        across = _third(shape.x / scene.width, "left", "right")
        if down is not None and across is not None:
            yield Question(f"Where is the {shape.name}?", f"{down} {across}".strip() or "middle")


def _whether(scene: Scene, rng: random.Random) -> Iterator[Question]:
    """Is there a ..., and is the ... of this colour: one of each with yes, one with no."""
    present = sorted({shape.name for shape in scene.shapes})
    absent = [f"{c} {k}" for c in sorted(COLOURS) for k in KINDS if f"{c} {k}" not in present]
    near = [name for name in absent if any(set(name.split()) & set(other.split()) for other in present)]
    yield Question(f"Is there {_a(rng.choice(present))}?", "yes")
    yield Question(f"Is there {_a(rng.choice(near if rng.random() < 0.7 else absent))}?", "no")
    alone = [shape for shape in scene.shapes if _only(scene, kind=shape.kind)]
    if alone:
        right, wrong = rng.choice(alone), rng.choice(alone)
        yield Question(f"Is the {right.kind} {right.colour}?", "yes")
        other = rng.choice([colour for colour in COLOURS if colour != wrong.colour])
        yield Question(f"Is the {wrong.kind} {other}?", "no")


def _relations(scene: Scene, rng: random.Random) -> Iterator[Question]:
    """Two pairs at most, along each axis: asked one way with yes, another pair or the same with no."""
    named = _unique(scene)
    for axis, before, after in (("x", "left of", "right of"), ("y", "above", "below")):
        side = scene.width if axis == "x" else scene.height
        pairs = [
            (one, other)
            for one in named
            for other in named
            if getattr(other, axis) - getattr(one, axis) >= APART * side
        ]
        for answer in ("yes", "no") if pairs else ():
            one, other = rng.choice(pairs)
            relation = before if answer == "yes" else after
            if rng.random() < 0.5:
                one, other, relation = other, one, after if answer == "yes" else before
            yield Question(f"Is the {one.name} {relation} the {other.name}?", answer)


def _only(scene: Scene, **traits: str) -> bool:
    return sum(all(getattr(s, trait) == value for trait, value in traits.items()) for s in scene.shapes) == 1


def _unique(scene: Scene) -> list[Shape]:
    """Shapes whose colour and kind name them and no other."""
    return [shape for shape in scene.shapes if _only(scene, colour=shape.colour, kind=shape.kind)]


def _third(share: float, low: str, high: str) -> str | None:
    """Name of a position along a side; empty for its middle, None between middle and outer."""
    if share <= _EDGE:
        return low
    if share >= 1 - _EDGE:
        return high
    return "" if abs(share - 0.5) <= _MIDDLE else None


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _plural(kind: str) -> str:
    return f"{kind}es" if kind.endswith("s") else f"{kind}s"
