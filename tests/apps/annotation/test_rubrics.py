"""What people say together, and what machines' scores mean in the same words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casa.apps.annotation.rubrics import BACK_KEY, RUBRICS, SAFETY, SKIPS, UTILITY


@given(st.lists(st.sampled_from(SAFETY.values), min_size=2))
def test_a_safety_consensus_is_a_strict_majority(ratings):
    said = SAFETY.consensus(ratings)
    counts = {value: ratings.count(value) for value in SAFETY.values}
    if said is None:
        assert counts["yes"] == counts["no"]
    else:
        assert 2 * counts[said] > len(ratings)


@given(st.lists(st.sampled_from(UTILITY.values), min_size=2))
def test_a_utility_consensus_is_between_the_ratings_and_no_half_is_beyond_it(ratings):
    said = UTILITY.consensus(ratings)
    assert 2 * sum(value < said for value in ratings) <= len(ratings)
    assert 2 * sum(value > said for value in ratings) <= len(ratings)


@pytest.mark.parametrize("rubric", RUBRICS.values())
@pytest.mark.parametrize("ratings", [[], ["1"], ["yes"]])
def test_one_rating_is_no_consensus(rubric, ratings):
    assert rubric.consensus(ratings) is None


def test_scores_of_judges_are_in_the_raters_words():
    assert [SAFETY.of_score("strongreject", score) for score in (0, 0.49, 0.5, 1)] == ["no", "no", "yes", "yes"]
    assert [UTILITY.of_score("judged_utility", score) for score in range(1, 11)] == list("1122334455")


@pytest.mark.parametrize("rubric", RUBRICS.values())
def test_no_two_choices_share_a_key(rubric):
    keys = [*(option.key for option in rubric.options), *(skip.key for skip in SKIPS), BACK_KEY]
    assert len(set(keys)) == len(keys)
