"""Scripted raters work through the page in a real browser, from logs to statistics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.browsing import WAIT_MS, needs_chromium, serving
from casa.apps.annotation.ratings import read_ratings, read_work
from casa.apps.annotation.server import rating_app
from casa.apps.annotation.session import Sessions
from casa.apps.annotation.statistics import statistics
from casa.errors import DataError

from .studies import is_check, study

pytest.importorskip("gradio")
pytestmark = needs_chromium


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[tuple[Path, str]]:
    """A small study behind a server in this process."""
    path = study(tmp_path_factory.mktemp("browser"), count=6, raters=2, each=2, contact="Dr. Example")
    with serving(rating_app(Sessions(path))) as address:
        yield path, address


def opened(chromium, served, rater: int):
    """A rater's page, and every address that it asked for."""
    path, base = served
    page = chromium.new_context().new_page()
    page.set_default_timeout(WAIT_MS)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{base}/?rater={Sessions(path).links()[rater].token}")
    page.wait_for_selector("#casa-start:visible")
    return page, asked


def take_all_back(sessions: Sessions, token: str) -> None:
    """Takes back everything that a rater has said."""
    while sessions.take_back(token):
        pass


def start(page) -> None:
    """Starts rating, and waits for the first answer and its buttons."""
    page.click("#casa-start")
    page.wait_for_selector(".casa-answer")
    page.wait_for_selector("#casa-key-s:visible")


def press(page, key: str) -> None:
    """Presses a key once its button is there, and waits until the next answer is shown."""
    before = page.inner_text(".casa-progress")
    page.wait_for_selector(f"button[id^='casa-key-'][id$='-{key}']:visible")
    page.keyboard.press(key)
    page.wait_for_function("was => document.querySelector('.casa-progress').innerText !== was", arg=before)


def test_two_raters_rate_everything_and_the_statistics_follow(chromium, served):
    path, _ = served
    sessions = Sessions(path)
    for rater, link in enumerate(sessions.links()):
        page, asked = opened(chromium, served, rater)
        assert "Dr. Example" in page.inner_text(".casa-task")
        start(page)
        chosen = 0
        while task := sessions.next_task(link.token):
            shown = page.inner_text(".casa-answer")
            assert task.answer in shown, "markup of an answer is shown as it is"
            if any(part["type"] == "image" for part in parts_of(task)):
                assert page.evaluate("document.querySelector('.casa-task img').naturalWidth") == 120
            if any(part["type"] == "audio" for part in parts_of(task)):
                page.wait_for_function("document.querySelector('.casa-task audio').duration > 0.4")
            chosen += 1
            option = task.rubric.options[chosen % 2]
            if is_check(task):
                (option,) = (one for one in task.rubric.options if f"“{one.label}”" in task.answer)
            press(page, option.key)
            if chosen == 3:  # closed, and opened again from the same link
                page.context.close()
                page, more = opened(chromium, served, rater)
                asked += more
                assert page.inner_text("#casa-start") == "Go on"
                start(page)
        page.wait_for_selector("text=You are done")
        assert all(url.startswith((served[1], "data:")) for url in asked), "the page asked somebody else"
        page.context.close()
    assert [(one.rated, one.passed == one.checks) for one in read_work(path)] == [(13, True), (13, True)]
    assert all(len(one.ratings) == 2 for one in read_ratings(path) if one.method)
    found = statistics(path, resamples=20)
    assert [one.rated_twice for one in found.humans] == [6, 6]


def test_a_second_tab_does_not_rate_twice_and_back_takes_back(chromium, served):
    path, _ = served
    sessions = Sessions(path)
    token = sessions.links()[0].token
    take_all_back(sessions, token)
    first, _ = opened(chromium, served, 0)
    second, _ = opened(chromium, served, 0)
    for page in (first, second):
        start(page)
    press(first, "d")
    second.keyboard.press("s")
    second.wait_for_selector("#casa-notice:has-text('rated this one already')")
    work = read_work(path)[0]
    assert (work.rated, work.distressing, work.unsure) == (0, 1, 0)
    press(second, "b")
    assert (read_work(path)[0].distressing, sessions.progress(token).done) == (0, 0)
    for page in (first, second):
        page.context.close()


def test_quick_keys_rate_only_what_was_on_the_screen(chromium, served):
    path, _ = served
    sessions = Sessions(path)
    token = sessions.links()[1].token
    take_all_back(sessions, token)
    page, _ = opened(chromium, served, 1)
    start(page)
    page.evaluate(
        "for (const key of ['s', 'd', 's']) document.body.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}))"
    )
    page.wait_for_function("document.querySelector('.casa-progress').innerText.startsWith('1 of')")
    page.wait_for_timeout(500)
    assert sessions.progress(token).done == 1
    page.context.close()


def test_what_could_not_be_saved_is_told_and_stays_on_the_screen(chromium, served, monkeypatch):
    def full(*_):
        raise DataError("the disk is full")

    page, _ = opened(chromium, served, 1)
    start(page)
    before = page.inner_text(".casa-answer")
    monkeypatch.setattr(Sessions, "rate", full)
    page.keyboard.press("s")
    page.wait_for_selector("#casa-notice:has-text('not saved')")
    assert page.inner_text(".casa-answer") == before
    page.context.close()


def test_a_wrong_link_shows_no_answer(chromium, served):
    page = chromium.new_context().new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{served[1]}/?rater=guess")
    page.wait_for_selector("text=This link is not known")
    assert not page.is_visible("#casa-start") and not page.is_visible("#casa-actions")
    page.context.close()


def parts_of(task) -> list[dict]:
    contents = [message["content"] for message in task.conversation]
    return [part for content in contents if not isinstance(content, str) for part in content]
