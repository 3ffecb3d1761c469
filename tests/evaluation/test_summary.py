"""Rates are counted by model, benchmark and attack, and nothing that could not be told counts."""

import pytest
from inspect_ai.log import EvalSample
from inspect_ai.model import ChatMessageUser, ContentAudio, ContentImage, ContentText

from casa.evaluation.goals import GoalRate
from casa.evaluation.logs import modality
from casa.evaluation.metrics import Rate
from casa.evaluation.summary import Answered, answered, rows

from .report.logs import log


def item(number, complied, flagged=None, attack="none", harmful=True, model="casa/nano", benchmark="xstest", goal=None):
    goal = goal or f"goal {number}"
    return Answered(model, benchmark, str(number), "c", attack, goal, "text", harmful, complied, 0.5, 0.5, flagged)


def test_harmful_and_harmless_items_are_apart():
    harmful, harmless = rows([item(1, True, True), item(2, False, True), item(3, True, False, harmful=False)])
    assert (harmful.harmful, harmful.complied.rate, harmful.flagged.rate) == (True, 0.5, 1.0)
    assert (harmless.harmful, harmless.complied.n, harmless.flagged.successes) == (False, 1, 0)


def test_several_attacks_have_a_row_each_and_one_for_all():
    found = rows([item(1, True, attack="SD"), item(2, False, attack="TYPO"), item(3, False, attack="TYPO")])
    assert {row.attack: row.complied.n for row in found} == {"all": 3, "SD": 1, "TYPO": 2}
    assert [row.attack for row in rows([item(1, True, attack="SD")])] == ["all"]


def test_what_could_not_be_told_is_counted_apart():
    (row,) = rows([item(1, None), item(2, True)])
    assert (row.complied.n, row.unscored) == (1, 1)
    (row,) = rows([item(1, None)])
    assert row.complied is None and row.flagged is None


def test_models_and_benchmarks_keep_their_order():
    found = rows([item(1, True, model="b"), item(1, True, model="a"), item(1, True, benchmark="mme", model="b")])
    assert [(row.model, row.benchmark) for row in found] == [("b", "xstest"), ("a", "xstest"), ("b", "mme")]


def test_rates_over_several_attacks_of_the_same_goals_draw_goals():
    found = rows(
        [item(f"{goal}/{attack}", True, attack=attack, goal=goal) for goal in "ab" for attack in ("SD", "TYPO")]
    )
    every, *parts = found
    assert isinstance(every.complied, GoalRate) and (every.complied.n, every.complied.goals) == (4, 2)
    assert [part.complied for part in parts] == [Rate.of(2, 2)] * 2


@pytest.mark.parametrize(
    ("content", "held"),
    [
        ("How?", "text"),
        ([ContentText(text="How?")], "text"),
        ([ContentImage(image="a.png"), ContentText(text="How?")], "image"),
        ([ContentImage(image="a.png"), ContentAudio(audio="a.wav", format="wav")], "audio+image"),
    ],
)
def test_the_modality_is_told_by_what_was_asked(content, held):
    sample = EvalSample(id="a", epoch=1, input=[ChatMessageUser(content=content)], target="")
    assert modality(sample) == held


def test_items_keep_goal_modality_and_picture():
    sample = EvalSample(
        id="a",
        epoch=1,
        input=[ChatMessageUser(content=[ContentImage(image="a.png")])],
        target="",
        metadata={"harmful": True, "category": "c", "attack": "figstep", "goal": "How?", "picture": "blank"},
    )
    (found,) = answered([log("casa/x", "jailbreakv", []).model_copy(update={"samples": [sample]})])
    assert (found.goal, found.modality, found.picture) == ("How?", "image", "blank")
