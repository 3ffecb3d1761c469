"""Agreement equals what the packages of the field compute, and says why where there is none."""

import math
import random

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from casa.evaluation.agreement import cohens_kappa, kappa_with_interval, krippendorff_alpha, mean_with_interval

VALUES = ("1", "2", "3", "4", "5")


def synthetic(items=60, raters=4, right=0.7, seed=0):
    """Raters who see the truth with some probability and guess otherwise; None where they did not rate."""
    rng = random.Random(seed)
    truth = [rng.choice(VALUES) for _ in range(items)]
    return [
        [None if rng.random() < 0.2 else value if rng.random() < right else rng.choice(VALUES) for value in truth]
        for _ in range(raters)
    ]


@pytest.mark.parametrize("level", ["nominal", "ordinal"])
def test_alpha_is_that_of_the_matrix_of_raters_and_items(level):
    table = synthetic()
    ours = krippendorff_alpha([[row[i] for row in table if row[i]] for i in range(60)], VALUES, level, resamples=200)
    matrix = [[math.nan if value is None else float(value) for value in row] for row in table]
    theirs = krippendorff.alpha(matrix, level_of_measurement=level, value_domain=[1.0, 2.0, 3.0, 4.0, 5.0])
    assert ours.value == pytest.approx(theirs)
    assert ours.low < ours.value < ours.high


@pytest.mark.parametrize(("level", "weights"), [("nominal", None), ("ordinal", "quadratic")])
def test_kappa_is_scikit_learns(level, weights):
    first, second = (["1" if value is None else value for value in row] for row in synthetic(raters=2))
    ours = kappa_with_interval(first, second, VALUES, level, resamples=200)
    assert ours.value == pytest.approx(cohen_kappa_score(first, second, labels=VALUES, weights=weights))
    assert ours.low < ours.value < ours.high


def test_a_choice_that_nobody_made_keeps_its_place_between_the_others():
    first, second = ["1", "5", "1", "2"], ["1", "5", "2", "1"]
    assert cohens_kappa(first, second, VALUES, "ordinal") > cohens_kappa(first, second, ("1", "2", "5"), "ordinal")


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from("ab"), max_size=4), max_size=8))
def test_alpha_has_a_value_or_a_reason_and_is_one_where_all_agree(ratings):
    found = krippendorff_alpha(ratings, "ab", resamples=5)
    assert (found.value is None) == bool(found.missing)
    if found.value is not None:
        agreed = all(len(set(row)) == 1 for row in ratings if len(row) > 1)
        assert (found.value == pytest.approx(1.0)) == agreed


@pytest.mark.parametrize(
    ("ratings", "why"),
    [
        ([], "there are 0"),
        ([["a", "b"], ["a"], []], "there are 1"),
        ([["a", "a"], ["a", "a"]], "all ratings are the same"),
    ],
)
def test_too_few_ratings_are_told(ratings, why):
    assert why in krippendorff_alpha(ratings, "ab").missing


def test_kappa_of_too_few_or_one_sided_items_is_told():
    assert "there are 1" in kappa_with_interval(["a"], ["a"], "ab").missing
    assert "the same of all" in kappa_with_interval(["a"] * 5, ["a"] * 5, "ab").missing


def test_items_of_one_cluster_are_drawn_together():
    scores = [0.0, 1.0] * 20
    alone = mean_with_interval(scores, resamples=300)
    paired = mean_with_interval(scores, [i // 2 for i in range(40)], resamples=300)
    assert (paired.low, paired.high) == (0.5, 0.5)
    assert alone.low < 0.5 < alone.high
    assert mean_with_interval(scores, [0] * 40).low is None


def test_an_interval_covers_what_it_should():
    rng = np.random.default_rng(0)
    inside = 0
    for seed in range(60):
        found = mean_with_interval(rng.normal(3, 1, 40).tolist(), resamples=200, seed=seed)
        inside += found.low <= 3 <= found.high
    assert inside >= 50


def test_no_scores_have_no_mean():
    assert mean_with_interval([]).missing
