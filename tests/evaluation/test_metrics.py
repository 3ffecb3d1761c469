import pytest
from hypothesis import given
from hypothesis import strategies as st

from casa.evaluation.metrics import Rate, auprc, clustered_mean, clustered_rate, wilson_interval


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(0, 5, 0.0, 0.4345), (5, 5, 0.5655, 1.0), (3, 10, 0.1078, 0.6032), (50, 100, 0.4038, 0.5962)],
)
def test_wilson_interval_equals_published_values(successes, n, low, high):
    assert wilson_interval(successes, n) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_rate_and_mirrors(counts):
    successes, n = counts
    low, high = wilson_interval(successes, n)
    assert 0 <= low <= successes / n <= high <= 1
    mirrored = wilson_interval(n - successes, n)
    assert (1 - high, 1 - low) == pytest.approx(mirrored)


def test_more_confidence_is_wider():
    assert wilson_interval(3, 10, 0.99)[0] < wilson_interval(3, 10, 0.9)[0]


@pytest.mark.parametrize(("successes", "n", "confidence"), [(0, 0, 0.95), (3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0)])
def test_what_is_no_proportion_is_refused(successes, n, confidence):
    with pytest.raises(ValueError):
        wilson_interval(successes, n, confidence)


def test_rate_carries_its_interval():
    rate = Rate.of(3, 10)
    assert (rate.rate, rate.low, rate.high) == (0.3, *wilson_interval(3, 10))


def test_auprc_is_the_average_precision_and_falls_with_the_share_of_malicious():
    assert auprc([0.9, 0.8], [0.1]) == 1.0
    assert auprc([0.9, 0.3], [0.5, 0.1]) == pytest.approx((1 + 2 / 3) / 2)
    assert auprc([0.9, 0.3], [0.5] * 10) < auprc([0.9, 0.3], [0.5])


def test_every_column_has_the_same_weight_whatever_kinds_and_queries_it_has():
    assert clustered_mean([[[1, 1], [0, 0]], [[1, 0]], [[1]]]).value == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert clustered_mean([[[1, 1], [0, 0]], [[1, 0]], [[1]]]).n == 2


def test_queries_are_drawn_with_all_that_was_measured_of_them():
    """The same 20 queries in ten columns say no more than in one: the interval must not shrink."""
    values = [True] * 8 + [False] * 12
    one, ten = clustered_rate([[values]]), clustered_rate([[values]] * 10)
    assert (ten.low, ten.high) == pytest.approx((one.low, one.high)) and one.high - one.low > 0.3
    apart = clustered_rate([[values[i:] + values[:i]] for i in range(0, 20, 2)])
    assert apart.high - apart.low < 0.5 * (one.high - one.low)


def test_what_never_happened_has_wilsons_interval_for_the_queries():
    assert clustered_rate([[[False] * 9], [[False] * 9]]).high == pytest.approx(wilson_interval(0, 9)[1])
    assert clustered_rate([[[True] * 9]]).low == pytest.approx(wilson_interval(9, 9)[0])


def test_nothing_has_no_mean():
    with pytest.raises(ValueError, match="nothing"):
        clustered_mean([])
