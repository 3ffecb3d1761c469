"""The time that a run will still take is told from what is done of it."""

import pytest

from casa.evaluation.harness import time_left
from casa.evaluation.harness.time_left import Countdown, Work


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def told():
    return []


def counting(clock, told, first=2, **work):
    return Countdown(work, first, told.append, clock)


def test_items_count_by_their_work_over_all_tasks_and_models(clock, told):
    count = counting(clock, told, short=Work(4, 1.0), long=Work(2, 10.0))
    count.begin(["short", "short", "long", "long"])  # 2 x 4 x 1 and 2 x 2 x 10: 48 in all
    count.begin_task("a", "short")
    count.item("a")
    assert told == []  # too few to tell
    clock.now += 4
    count.item("a")
    assert told == [pytest.approx(4 / 2 * 46)]


def test_what_an_earlier_run_answered_is_not_waited_for(clock, told):
    count = counting(clock, told, short=Work(4, 1.0))
    count.begin(["short", "short"])
    count.begin_task("a", "short")
    count.item("a")
    clock.now += 3
    count.end_task("a")  # three items had been answered before
    assert told == [pytest.approx(3 * 4)]


def test_estimates_come_now_and_then(clock, told):
    count = counting(clock, told, first=1, short=Work(9, 1.0))
    count.begin(["short"])
    count.begin_task("a", "short")
    for _ in range(9):
        clock.now += 5
        count.item("a")
    assert len(told) == 3 and told == sorted(told, reverse=True)


def test_a_task_that_is_done_again_leaves_no_time_below_nothing(clock, told):
    count = counting(clock, told, first=1, short=Work(1, 1.0))
    count.begin(["short"])
    for key in ("a", "again"):
        count.begin_task(key, "short")
        clock.now += 20
        count.item(key)
        count.end_task(key)
    assert told == [0.0, 0.0]


@pytest.mark.parametrize(
    ("display", "terminal", "where"),
    [
        ("full", True, "counter"),
        ("rich", True, "counter"),
        ("full", False, "stderr"),
        ("plain", True, "stderr"),
        ("none", True, ""),
    ],
)
def test_the_estimate_goes_where_the_display_has_room_for_it(monkeypatch, capsys, display, terminal, where):
    shown = []
    monkeypatch.setattr(time_left, "display_type", lambda: display)
    monkeypatch.setattr(time_left, "display_counter", lambda *words: shown.append(words))
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    time_left.show(3725.4)
    assert shown == ([("time left", "about 1:02:05")] if where == "counter" else [])
    assert capsys.readouterr().err == ("time left: about 1:02:05\n" if where == "stderr" else "")
