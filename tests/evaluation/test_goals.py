"""Items of one goal are no independent trials."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casa.evaluation.comparison import mcnemar
from casa.evaluation.goals import GoalRate, complement, goal_estimate, goal_rate, goal_test
from casa.evaluation.metrics import Rate, auroc, wilson_interval


def test_goals_that_occur_once_have_wilsons_interval():
    assert goal_rate([True, False, True], ["a", "b", "c"]) == Rate.of(2, 3)


def test_copies_of_a_goal_do_not_narrow_the_interval():
    happened, goals = [True] * 4 + [False] * 6, list("abcdefghij")
    once, copied = goal_rate(happened, goals), goal_rate(happened * 7, goals * 7)
    assert isinstance(copied, GoalRate) and (copied.n, copied.goals, copied.rate) == (70, 10, 0.4)
    wrong = Rate.of(28, 70)
    assert copied.high - copied.low > 2 * (wrong.high - wrong.low)
    assert copied.high - copied.low == pytest.approx(once.high - once.low, rel=0.25)


def test_attacks_that_succeed_independently_of_the_goal_are_worth_almost_as_many_trials():
    happened = [(goal + attack) % 2 == 0 for goal in range(30) for attack in range(4)]
    found = goal_rate(happened, [goal for goal in range(30) for _ in range(4)])
    assert (found.low, found.high) == (Rate.of(60, 120).low, Rate.of(60, 120).high)


@pytest.mark.parametrize("happened", [True, False])
def test_never_and_always_have_the_interval_of_the_goals(happened):
    found = goal_rate([happened] * 42, list("abcdef") * 7)
    assert (found.low, found.high) == wilson_interval(6 * happened, 6)


def test_a_complement_keeps_what_its_interval_rests_on():
    found = goal_rate([True, False, False, False], list("aabb"))
    other = complement(found)
    assert isinstance(other, GoalRate) and (other.successes, other.n, other.goals) == (3, 4, 2)
    assert (other.low, other.high) == pytest.approx((1 - found.high, 1 - found.low))
    assert complement(complement(Rate.of(1, 4))).low == pytest.approx(Rate.of(1, 4).low)


def test_no_items_or_too_few_goals_are_refused():
    with pytest.raises(ValueError, match="no proportion"):
        goal_rate([], [])
    with pytest.raises(ValueError, match="1 goals for 2 items"):
        goal_rate([True, False], ["a"])
    with pytest.raises(ValueError):
        goal_test([True], [True, False], ["a", "b"])


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_the_test_is_mcnemars_where_every_goal_occurs_once(pairs):
    first, second = zip(*pairs, strict=True)
    found, expected = goal_test(first, second, range(len(pairs))), mcnemar(first, second)
    assert (found.only_first, found.only_second) == (expected.only_first, expected.only_second)
    assert found.p == pytest.approx(expected.p)


def test_copies_of_a_goal_are_no_further_proof():
    first, second, goals = [True] * 6, [False] * 6, list("abcdef")
    assert goal_test(first * 7, second * 7, goals * 7).p == pytest.approx(goal_test(first, second, goals).p)
    assert mcnemar(first * 7, second * 7).p < 1e-10


def test_goals_that_changed_both_ways_show_no_difference():
    assert goal_test([True, False, True, False], [False, True, False, True], list("aabb")).p == 1.0


def test_areas_have_wider_intervals_where_goals_are_copied():
    above, below = [0.9, 0.8, 0.4, 0.6, 0.7], [0.1, 0.5, 0.3, 0.65, 0.2]
    once = goal_estimate(auroc, above, range(5), below, range(5), 300)
    copied = goal_estimate(auroc, above * 6, [*range(5)] * 6, below * 6, [*range(5)] * 6, 300)
    apart = goal_estimate(auroc, above * 6, range(30), below * 6, range(30), 300)
    assert once.value == copied.value == apart.value
    assert copied.high - copied.low == pytest.approx(once.high - once.low, rel=0.2)
    assert apart.high - apart.low < 0.7 * (copied.high - copied.low)
