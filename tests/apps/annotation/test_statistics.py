"""A study's statistics are those of krippendorff and scikit-learn on the same ratings, and say what is missing."""

import math

import krippendorff
import pytest
from sklearn.metrics import cohen_kappa_score

from casa.apps.annotation.ratings import read_ratings, read_work
from casa.apps.annotation.rubrics import RUBRICS
from casa.apps.annotation.session import Sessions
from casa.apps.annotation.statistics import statistics
from casa.errors import DataError

from .studies import METHODS, rate_all, study

RATERS = ("r1", "r2", "r3")
FEW = 40  # resamples


@pytest.fixture(scope="module")
def rated(tmp_path_factory):
    path = study(tmp_path_factory.mktemp("rated"), count=24, raters=3, each=3, check_share=0.2)
    rate_all(path, careless=("r3",))
    return path


@pytest.fixture(scope="module")
def found(rated):
    return statistics(rated, resamples=FEW)


@pytest.mark.parametrize("place", [0, 1])
def test_alpha_is_that_of_the_package(rated, found, place):
    human = found.humans[place]
    rubric = RUBRICS[human.rubric]
    answers = [one for one in read_ratings(rated) if one.method and one.rubric == rubric]
    numbers = {value: float(number) for number, value in enumerate(rubric.values)}
    matrix = [[numbers.get(one.ratings.get(name), math.nan) for one in answers] for name in RATERS]
    for ours, level in ((human.alpha, rubric.level), (human.nominal, "nominal")):
        theirs = krippendorff.alpha(matrix, level_of_measurement=level, value_domain=list(numbers.values()))
        assert ours.value == pytest.approx(theirs)
        assert ours.low <= ours.value <= ours.high
    assert (human.answers, human.rated_twice) == (24, 24)


def test_kappa_with_judges_is_scikit_learns_on_what_people_say_together(rated, found):
    assert {(one.rubric, one.scorer) for one in found.machines} == {
        ("safety", "judged_success"),
        ("safety", "complied"),
        ("utility", "judged_utility"),
    }
    for machine in found.machines:
        rubric = RUBRICS[machine.rubric]
        decided = [one for one in read_ratings(rated) if machine.scorer in one.opinions and one.rubric == rubric]
        pairs = [(one.consensus, one.opinions[machine.scorer]) for one in decided]
        theirs = cohen_kappa_score(
            *zip(*pairs, strict=True),
            labels=rubric.values,
            weights="quadratic" if rubric.level == "ordinal" else None,
        )
        assert machine.kappa.value == pytest.approx(theirs)
        assert machine.same.successes == sum(a == b for a, b in pairs)
    judged, ruled = (one.kappa.value for one in found.machines[:2])
    assert judged > 0.7 > ruled, "two raters of three follow the judge"


def test_methods_are_told_by_what_people_say(rated, found):
    assert tuple(one.method for one in found.methods) == METHODS
    for method in found.methods:
        mine = [one for one in read_ratings(rated) if one.method == method.method]
        assert method.helped.successes == sum(one.consensus == "yes" for one in mine)
        scores = [int(one.consensus) for one in mine if one.rubric.name == "utility"]
        assert method.utility.value == pytest.approx(sum(scores) / len(scores))


def test_who_fails_attention_checks_is_told_and_left_out_on_demand(rated, found):
    assert found.left_out == ()
    assert [one.passed == one.checks == 10 for one in found.work] == [True, True, False]
    strict = statistics(rated, least_passed=0.9, resamples=FEW)
    assert strict.left_out == ("r3",)
    assert strict.humans[0].alpha.value > found.humans[0].alpha.value
    assert all("r3" not in one.ratings for one in strict.disputed)


def test_disputed_answers_are_those_on_which_people_differ(rated, found):
    differ = {one.id for one in read_ratings(rated) if one.method and len(set(one.ratings.values())) > 1}
    assert {one.id for one in found.disputed} == differ


def test_attention_checks_count_in_no_statistic(found):
    assert sum(one.answers for one in found.humans) == 48
    assert all(one.method for one in found.disputed)


def test_nothing_rated_is_an_error_that_says_what_to_do(batch):
    with pytest.raises(DataError, match="casa annotate serve"):
        statistics(batch)


def test_one_rater_alone_gives_no_agreement_but_no_crash(batch):
    sessions = Sessions(batch)
    token = sessions.links()[0].token
    while task := sessions.next_task(token):
        sessions.rate(token, task.assignment, task.rubric.values[0])
    found = statistics(batch, resamples=FEW)
    assert all(one.alpha.value is None and "there are 0" in one.alpha.missing for one in found.humans)
    assert all(one.kappa.value is None and one.same is None for one in found.machines)
    assert all(one.helped is None and one.utility.value is None for one in found.methods)
    work = read_work(batch)
    assert (work[0].rated, work[1].rated, work[1].median_s) == (26, 0, None)
