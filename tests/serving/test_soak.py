"""The soak of the benchmark: what it asks, and what it calls a failure."""

from __future__ import annotations

import asyncio
import os

import pytest
from benchmarks.soak import Soak, bad_requests, megabytes, soak

from casa.serving.transformers import TransformersEngine
from serving.conftest import TEXTS
from serving.running import MODEL, Running
from serving.scripted import SAFE, ScriptedEngine


def soaked(running, seconds=3.0):
    try:
        return asyncio.run(soak(running.url, os.getpid(), MODEL, TEXTS, seconds, 4, seed=0, max_tokens=4))
    finally:
        running.end()


def test_a_sound_server_passes_and_every_bad_request_is_refused_as_expected(served_casa):
    found = soaked(Running(TransformersEngine(served_casa, batch_size=4), max_body_mb=1), seconds=6)
    assert not found.wrong and not found.changed, found.figures()
    assert found.verdicts and found.memory
    kinds = {kind for kind, _ in found.statuses}
    assert kinds & set(bad_requests(MODEL)) and kinds & {"chat", "stream", "moderation", "left"}


def test_a_server_that_fails_is_found_out():
    found = soaked(Running(ScriptedEngine((RuntimeError(),))), seconds=1)
    assert any(status == 500 for _, status in found.wrong)
    assert "answers that must not be" in " ".join(found.failures())


def test_a_server_that_is_gone_is_found_out():
    running = Running(ScriptedEngine((SAFE, "x", "stop")))
    running.end()
    found = soaked(running, seconds=0.5)
    assert ("gone", 0) in found.wrong and ("connection", 0) in found.wrong


def test_a_changed_verdict_and_a_drift_are_failures():
    seen = Soak()
    for label, p_unsafe in (("safe", 0.49), ("unsafe", 0.51), ("safe", 0.49)):
        seen.decided(0, label, p_unsafe)
    assert seen.changed == [0]
    assert len(seen.failures()) == 2


def test_growth_is_told_after_the_first_quarter_only():
    assert Soak(memory=[1, 1, 100, 100, 100, 100, 102, 102]).growth() == pytest.approx(0.02)
    assert Soak(memory=[100, 100, 100, 100, 100, 150, 150, 150]).growth() == pytest.approx(0.5)
    assert Soak(memory=[1.0]).growth() == 0


def test_a_full_server_is_no_failure():
    seen = Soak()
    seen.saw("chat", 429, 200)
    assert not seen.wrong


def test_the_memory_of_a_process_that_is_gone_is_nothing():
    assert megabytes(os.getpid()) > 10 and megabytes(2**22 + 1) == 0
