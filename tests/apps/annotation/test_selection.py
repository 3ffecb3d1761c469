"""Prompts are balanced over classes and modalities, raters over methods, whatever the numbers."""

import random
from collections import Counter
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from casa.apps.annotation.checks import attention_checks, checks_needed
from casa.apps.annotation.collect import Prompt
from casa.apps.annotation.rubrics import RUBRICS
from casa.apps.annotation.selection import Cell, alternating, assigned_raters, chosen_prompts

cells = st.builds(Cell, st.sampled_from("ab"), st.booleans(), st.sampled_from(["text", "image"]))


def prompts(groups):
    return [
        Prompt("b", f"{harmful} {modality} {number}", "", "", harmful, modality, "", "none", ())
        for (harmful, modality), count in groups.items()
        for number in range(count)
    ]


@given(
    st.dictionaries(
        st.tuples(st.booleans(), st.sampled_from(["text", "image", "audio"])), st.integers(1, 6), min_size=1
    ),
    st.integers(1, 30),
    st.integers(),
)
def test_classes_and_modalities_differ_by_one_at_most_unless_one_runs_out(groups, most, seed):
    chosen = chosen_prompts(prompts(groups), most, random.Random(seed))
    assert len({prompt.id for prompt in chosen}) == len(chosen) == min(most, sum(groups.values()))
    classes = Counter(prompt.harmful for prompt in chosen)
    there = Counter()
    for (harmful, _), count in groups.items():
        there[harmful] += count
    for one, other in combinations(there, 2):
        few, many = sorted((one, other), key=lambda harmful: classes[harmful])
        assert classes[many] - classes[few] <= 1 or classes[few] == there[few]
    taken = Counter((prompt.harmful, prompt.modality) for prompt in chosen)
    for one, other in combinations(groups, 2):
        few, many = sorted((one, other), key=lambda group: taken[group])
        if one[0] == other[0]:
            assert taken[many] - taken[few] <= 1 or taken[few] == groups[few]


@given(st.lists(st.integers()))
def test_alternating_loses_and_adds_nothing(items):
    assert sorted(alternating(items, lambda item: item % 3, lambda item: item % 2)) == sorted(items)


@given(st.lists(cells, max_size=40), st.integers(2, 7), st.data())
def test_each_answer_has_as_many_different_raters_and_each_rater_as_many_of_every_cell(found, raters, data):
    each = data.draw(st.integers(2, raters))
    spread = assigned_raters(found, raters, each, random.Random(0))
    assert all(len(set(mine)) == len(mine) == each for mine in spread)
    for cell in set(found):
        loads = Counter(rater for one, mine in zip(found, spread, strict=True) if one == cell for rater in mine)
        assert max(loads.values()) - min(loads[rater] for rater in range(raters)) <= 1


def test_every_pair_of_raters_rates_answers_in_common():
    spread = assigned_raters([Cell("a", True, "text")] * 60, 5, 2, random.Random(0))
    assert {pair for mine in spread for pair in combinations(mine, 2)} == set(combinations(range(5), 2))


def test_checks_ask_for_every_choice_and_name_it():
    checks = attention_checks(random.Random(0))
    assert {(check.rubric, check.expected) for check in checks} == {
        (rubric.name, value) for rubric in RUBRICS.values() for value in rubric.values
    }
    for check in checks:
        (label,) = (option.label for option in RUBRICS[check.rubric].options if option.value == check.expected)
        assert f"“{label}”" in check.answer


def test_a_rater_of_anything_gets_a_check_unless_none_are_wanted():
    assert [checks_needed(*given) for given in ((0, 0.1), (3, 0.1), (40, 0.1), (40, 0))] == [0, 1, 4, 0]
