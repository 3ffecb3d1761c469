"""Answers agree with an independent recount, and nothing in a scene leaves them open."""

import random
import re
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from casa.nano.pictures.questions import questions
from casa.nano.pictures.scenes import COLOURS, KINDS, sample_scene

some = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)
COLOUR, KIND = "|".join(COLOURS), "|".join(KINDS)


def the_only(scene, name):
    """The one shape that a description names."""
    (shape,) = [s for s in scene.shapes if set(name.split()) <= {s.kind, s.colour}]
    return shape


def kind_of(plural):
    return plural.removesuffix("es") if plural == "crosses" else plural.removesuffix("s")


def recount(scene, text):
    """The answer by looking at the scene's shapes anew."""
    if text == "How many shapes are there?":
        return str(len(scene.shapes))
    if found := re.fullmatch(rf"How many ({COLOUR}) shapes are there\?", text):
        return str([s.colour for s in scene.shapes].count(found[1]))
    if found := re.fullmatch(r"How many (\w+) are there\?", text):
        assert kind_of(found[1]) in KINDS
        return str([s.kind for s in scene.shapes].count(kind_of(found[1])))
    if found := re.fullmatch(rf"What colour is the ({KIND})\?", text):
        return the_only(scene, found[1]).colour
    if found := re.fullmatch(rf"What shape is ({COLOUR})\?", text):
        return the_only(scene, found[1]).kind
    if found := re.fullmatch(rf"Is there an? (({COLOUR}) ({KIND}))\?", text):
        return "yes" if any((s.colour, s.kind) == (found[2], found[3]) for s in scene.shapes) else "no"
    if found := re.fullmatch(rf"Is the ({KIND}) ({COLOUR})\?", text):
        return "yes" if the_only(scene, found[1]).colour == found[2] else "no"
    if found := re.fullmatch(r"Is the (\w+ \w+) (left of|right of|above|below) the (\w+ \w+)\?", text):
        one, two = the_only(scene, found[1]), the_only(scene, found[3])
        dx, dy = (two.x - one.x) / scene.width, (two.y - one.y) / scene.height
        ahead = {"left of": dx, "right of": -dx, "above": dy, "below": -dy}[found[2]]
        assert abs(ahead) > 0.149, "too near to tell"
        return "yes" if ahead > 0 else "no"
    found = re.fullmatch(r"Where is the (\w+ \w+)\?", text)
    shape = the_only(scene, found[1])
    return where(shape.y / scene.height, "top", "bottom") + where(shape.x / scene.width, "left", "right")


def where(share, low, high):
    assert share <= 0.4 or share >= 0.6 or 0.44 <= share <= 0.56, "too near to tell"
    return (low,) if share <= 0.4 else (high,) if share >= 0.6 else ()


@some
@given(seeds)
def test_answers_agree_with_a_recount(seed):
    rng = random.Random(seed)
    scene = sample_scene(rng, 224, 168)
    for text, answer in questions(scene, rng):
        expected = recount(scene, text)
        assert answer == (" ".join(expected) or "middle" if isinstance(expected, tuple) else expected), text


@some
@given(seeds)
def test_yes_and_no_are_equally_often_right(seed):
    rng = random.Random(seed)
    answers = Counter(answer for _, answer in questions(sample_scene(rng, 224, 224), rng))
    assert answers["yes"] == answers["no"] >= 1


@some
@given(seeds)
def test_no_question_is_asked_with_two_answers_and_answers_are_short(seed):
    rng = random.Random(seed)
    asked = questions(sample_scene(rng, 224, 224), rng)
    assert len(dict(asked)) == len(set(asked))
    assert all(len(answer.split()) <= 2 for _, answer in asked)


def test_the_same_seed_gives_the_same_questions():
    scene = sample_scene(random.Random(5), 224, 224)
    assert questions(scene, random.Random(1)) == questions(scene, random.Random(1))


def test_every_sort_of_question_occurs_and_each_relation_is_as_often_right_as_wrong():
    rng = random.Random(0)
    asked = [q for _ in range(300) for q in questions(sample_scene(rng, 224, 224), rng)]
    for opening in ("How many", "What colour", "What shape", "Where", "Is there", "Is the"):
        assert any(text.startswith(opening) for text, _ in asked)
    for relation in ("left of", "right of", "above", "below"):
        right = [answer == "yes" for text, answer in asked if f" {relation} " in text]
        assert 0.4 < sum(right) / len(right) < 0.6
    assert {answer for text, answer in asked if text.startswith("Where")} >= {"middle", "top left", "left", "bottom"}
