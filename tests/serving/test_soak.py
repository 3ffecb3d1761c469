"""The soak of the benchmark: what it asks, and what it calls a failure."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace

import pytest
from benchmarks.soak import Soak, megabytes, soak
from benchmarks.soak_requests import FORMS, Known, bad_requests, known

from casa.serving.transformers import TransformersEngine
from serving.conftest import TEXTS
from serving.running import MODEL, Running
from serving.scripted import SAFE, ScriptedEngine
from tiny import user


@pytest.fixture(scope="module")
def asked(served_casa):
    return known(served_casa, TEXTS)


def soaked(running, asked, seconds=3.0):
    try:
        return asyncio.run(soak(running.url, os.getpid(), MODEL, asked, seconds, 4, seed=0, max_tokens=4))
    finally:
        running.end()


def test_pictures_and_clips_are_among_what_is_asked(asked):
    kinds = {
        part["type"]
        for one in asked
        if isinstance(one.messages[0]["content"], list)
        for part in one.messages[0]["content"]
    }
    assert kinds == {"text", "image_url", "input_audio"}


def test_a_sound_server_passes_and_every_bad_request_is_refused_as_expected(served_casa, asked):
    found = soaked(Running(TransformersEngine(served_casa, batch_size=4), max_body_mb=1), asked, seconds=8)
    assert not found.wrong and not found.mistaken, found.figures()
    assert found.verdicts and found.memory
    kinds = {kind for kind, _ in found.statuses}
    assert kinds & set(bad_requests(MODEL)) and kinds >= {*FORMS}


def test_a_server_that_decides_otherwise_is_found_out_whatever_the_form(asked):
    others = [one._replace(verdict=replace(one.verdict, label="unsafe", p_unsafe=0.9)) for one in asked]
    found = soaked(Running(ScriptedEngine((SAFE, "x", "stop"))), others, seconds=3)
    assert {kind for kind, _ in found.mistaken} == {kind for kind, form in FORMS.items() if form.alone}
    assert "wrong verdicts" in " ".join(found.failures())


def test_a_server_that_fails_is_found_out(asked):
    found = soaked(Running(ScriptedEngine((RuntimeError(),))), asked, seconds=1)
    assert any(status == 500 for _, status in found.wrong)
    assert "answers that must not be" in " ".join(found.failures())


def test_a_stream_that_breaks_off_is_found_out(asked):
    found = soaked(Running(ScriptedEngine((SAFE, "x", RuntimeError()))), asked, seconds=1)
    assert ("stream", 0) in found.wrong


def test_a_server_that_is_gone_is_found_out(asked):
    running = Running(ScriptedEngine((SAFE, "x", "stop")))
    running.end()
    found = soaked(running, asked, seconds=0.5)
    assert ("gone", 0) in found.wrong and ("connection", 0) in found.wrong


@pytest.mark.parametrize(
    ("expected", "label", "p_unsafe", "agrees"),
    [
        (0.1, "safe", 0.105, True),
        (0.1, "safe", 0.2, False),
        (0.1, "unsafe", 0.1, False),
        (0.495, "unsafe", 0.501, True),
        (0.48, "unsafe", 0.489, False),
    ],
)
def test_a_verdict_may_differ_by_rounding_alone(expected, label, p_unsafe, agrees):
    verdict = replace(SAFE, p_unsafe=expected)
    assert Known(user("x"), verdict).agrees(label, p_unsafe) is agrees


def test_growth_is_told_after_the_first_quarter_only():
    assert Soak([], memory=[1, 1, 100, 100, 100, 100, 102, 102]).growth() == pytest.approx(0.02)
    assert Soak([], memory=[100, 100, 100, 100, 100, 150, 150, 150]).growth() == pytest.approx(0.5)
    assert Soak([], memory=[1.0]).growth() == 0


def test_a_full_server_is_no_failure():
    seen = Soak([])
    seen.saw("chat", 429)
    assert not seen.wrong


def test_the_memory_of_a_process_that_is_gone_is_nothing():
    assert megabytes(os.getpid()) > 10 and megabytes(2**22 + 1) == 0
