"""A rater's answers come one after the other, are kept at once, and count once."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from casa.apps.annotation.database import transaction
from casa.apps.annotation.ratings import read_ratings, read_work
from casa.apps.annotation.session import Sessions
from casa.errors import DataError


@pytest.fixture
def sessions(batch):
    return Sessions(batch)


@pytest.fixture
def token(sessions):
    return sessions.links()[0].token


def test_a_rater_goes_through_every_answer_once_and_ends(sessions, token):
    seen = []
    while task := sessions.next_task(token):
        seen.append(task.assignment)
        assert sessions.rate(token, task.assignment, task.rubric.values[0])
    assert len(set(seen)) == len(seen) == 26
    assert (sessions.progress(token).done, sessions.progress(token).total) == (26, 26)


def test_a_restart_goes_on_where_the_rater_stopped(batch, sessions, token):
    task = sessions.next_task(token)
    sessions.rate(token, task.assignment, "unsure")
    following = Sessions(batch).next_task(token)
    assert following.assignment != task.assignment
    assert Sessions(batch).progress(token).done == 1


def test_two_tabs_count_once_and_the_first_one_counts(batch, sessions, token):
    task = sessions.next_task(token)
    first, second = task.rubric.values[:2]
    assert sessions.rate(token, task.assignment, first)
    assert not sessions.rate(token, task.assignment, second)
    (value,) = [value for one in read_ratings(batch) for value in one.ratings.values()]
    assert value == first


def test_many_tabs_at_once_write_one_rating(batch, sessions, token):
    task = sessions.next_task(token)
    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(lambda _: sessions.rate(token, task.assignment, "distressing"), range(16)))
    assert sum(written) == 1
    assert read_work(batch)[0].distressing == 1


def test_the_last_rating_can_be_taken_back_and_comes_again(sessions, token):
    assert not sessions.take_back(token)
    task = sessions.next_task(token)
    sessions.rate(token, task.assignment, task.rubric.values[0])
    assert sessions.take_back(token)
    assert sessions.next_task(token).assignment == task.assignment
    assert sessions.progress(token).done == 0


def test_nobody_rates_for_another(sessions, token):
    other = sessions.links()[1].token
    task = sessions.next_task(token)
    assert not sessions.rate(other, task.assignment, task.rubric.values[0])
    assert sessions.next_task("guess") is None and sessions.progress("guess") is None
    assert not sessions.rate("guess", task.assignment, task.rubric.values[0]) and not sessions.take_back("guess")
    assert sessions.progress(token).done == 0


def test_a_rating_of_another_question_is_refused(sessions, token):
    task = sessions.next_task(token)
    wrong = "3" if task.rubric.name == "safety" else "yes"
    with pytest.raises(ValueError, match="no rating"):
        sessions.rate(token, task.assignment, wrong)
    assert sessions.progress(token).done == 0


def test_what_is_interrupted_is_not_written(batch, sessions, token):
    task = sessions.next_task(token)
    with pytest.raises(KeyboardInterrupt), transaction(batch) as database:
        database.execute("INSERT INTO rating VALUES (?, 'no', NULL, '')", (task.assignment,))
        raise KeyboardInterrupt
    assert sessions.progress(token).done == 0


def test_a_task_holds_nothing_that_tells_the_method(sessions, token):
    while task := sessions.next_task(token):
        assert "casa-nano" not in repr(task) and "undefended" not in repr(task)
        sessions.rate(token, task.assignment, "unsure")


def test_files_that_are_no_batch_are_told_apart(tmp_path, batch):
    with pytest.raises(DataError, match="casa annotate prepare"):
        Sessions(tmp_path / "gone.sqlite")
    (tmp_path / "text").write_text("no database at all, but long enough to look like one" * 20)
    with pytest.raises(DataError, match="not a database"):
        Sessions(tmp_path / "text")
    sqlite3.connect(tmp_path / "other").execute("CREATE TABLE x (y)")
    with pytest.raises(DataError, match="no batch"):
        Sessions(tmp_path / "other")
    sqlite3.connect(batch).execute("PRAGMA user_version = 99")
    with pytest.raises(DataError, match="layout 99"):
        Sessions(batch)
