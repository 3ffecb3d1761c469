"""A plan's costs are upper bounds, and time is only what was measured."""

from casa.evaluation.costs import JudgeCost, expected_seconds, judge_cost
from casa.evaluation.suite import Planned

PLAN = [Planned("xstest", 10, None, harmful=4, characters=1000), Planned("mme", 0, "the model takes no image yet")]


def test_a_harmful_item_is_judged_twice_and_a_harmless_one_once():
    cost = judge_cost(PLAN, models=2, max_tokens=50)
    assert cost.calls == 2 * (2 * 4 + 6)
    assert cost.tokens_read >= cost.calls * (1000 / 10 / 4 + 50)
    assert judge_cost([], 2, 50) == JudgeCost(0, 0, 0)


def test_the_price_is_of_what_is_read_and_written():
    assert JudgeCost(1, 2_000_000, 500_000).dollars(2.5, 10) == 10


def test_items_that_were_not_timed_are_counted_and_not_guessed():
    assert expected_seconds(PLAN, ["casa/a", "undefended/a"], {("casa/a", "xstest"): 0.5}) == (5.0, 10)
