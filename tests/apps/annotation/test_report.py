"""The report holds the numbers and what is wrong with them, and no answers."""

import json

import pytest

from casa.apps.annotation.report import problems, write_study_report
from casa.apps.annotation.session import Sessions
from casa.apps.annotation.statistics import statistics

from .studies import rate_all


@pytest.fixture
def rated(batch):
    rate_all(batch, careless=("r2",))
    return batch


def test_three_files_hold_the_same_numbers_and_no_answer(rated, tmp_path):
    found = statistics(rated, resamples=20)
    files = write_study_report(found, tmp_path / "out")
    page, text, numbers = (file.read_text() for file in files)
    shown = f"{found.humans[0].alpha.value:.2f}"
    assert shown in page and shown in text
    assert json.loads(numbers)["humans"][0]["alpha"]["value"] == found.humans[0].alpha.value
    assert not any("Made-up" in content or "Request number" in content for content in (page, text, numbers))
    assert "figures" not in text


def test_raters_who_are_left_out_or_not_done_and_few_answers_are_problems(rated):
    Sessions(rated).take_back(Sessions(rated).links()[0].token)
    told = problems(statistics(rated, least_passed=1.0, resamples=20))
    assert any(what.startswith("r1 has not finished: 1 of 26") for what in told)
    assert any(what.startswith("r2 is not counted") for what in told)
    assert any("answers have two ratings on safety" in what for what in told)


def test_missing_statistics_are_dashes_with_a_reason(batch, tmp_path):
    sessions = Sessions(batch)
    token = sessions.links()[0].token
    sessions.rate(token, sessions.next_task(token).assignment, "unsure")
    task = sessions.next_task(token)
    sessions.rate(token, task.assignment, task.rubric.values[0])
    found = statistics(batch, resamples=20)
    assert "no alpha on safety: needs two items" in " ".join(problems(found))
    write_study_report(found, tmp_path)
    assert "NaN" not in (tmp_path / "annotation.json").read_text()
