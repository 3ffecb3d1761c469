"""The load of the benchmark, on a door in this process."""

from __future__ import annotations

import asyncio

import benchmarks.serving as benchmark
import pytest
from benchmarks.load import Timed, quantiles, run_load, summary

from serving.running import MODEL, Running
from serving.scripted import SAFE, UNSAFE, ScriptedEngine

CONCURRENCY = 3


@pytest.fixture
def serve():
    started = []

    def start(*script, **settings):
        started.append(Running(ScriptedEngine(script), **settings))
        return started[-1].url

    yield start
    for running in started:
        running.end()


def load(url, count=6):
    return asyncio.run(run_load(url, MODEL, ["Hello"] * count, CONCURRENCY, 8))


def test_whole_answers_are_timed_and_counted(serve):
    found = load(serve(SAFE, 0.05, "one", " two", "stop"))
    assert (found["requests"], found["failed"], found["unsafe"]) == (6, 0, 0)
    assert found["tokens_per_s"] * found["seconds"] == pytest.approx(18)
    assert 0.05 <= found["first_text_s"]["p50"] <= found["request_s"]["p50"] <= found["request_s"]["p95"]


def test_refusals_are_counted_by_their_verdict(serve):
    assert load(serve(UNSAFE, "No.", "stop"))["unsafe"] == 6


@pytest.mark.parametrize("script", [(RuntimeError(),), (SAFE, "one", RuntimeError())], ids=["refused", "broken"])
def test_answers_that_do_not_come_whole_are_failures(serve, script):
    found = load(serve(*script))
    assert found["failed"] == 6 and found["requests_per_s"] == 0 and found["request_s"] is None


def test_a_server_that_is_gone_is_a_failure():
    assert load("http://127.0.0.1:9", count=2)["failed"] == 2


def test_no_more_requests_are_sent_at_once_than_asked_for(serve):
    assert load(serve(SAFE, 0.05, "x", "stop", max_requests=CONCURRENCY))["failed"] == 0


def test_servers_take_turns_at_each_level_of_each_load(serve, monkeypatch):
    monkeypatch.setattr(benchmark, "NAME", MODEL)
    servers = {"base": serve(SAFE, "x", "stop"), "casa": serve(SAFE, "x", "stop")}
    found = benchmark.measured(servers, {"benign": ["a", "b"], "half": ["c"]}, [1, 2], 4)
    turns = [(figures["load"], figures["concurrency"], figures["server"]) for figures in found]
    assert turns == [(kind, level, name) for kind in ("benign", "half") for level in (1, 2) for name in servers]
    assert all(figures["failed"] == 0 for figures in found)


def test_half_of_a_load_is_malicious():
    assert benchmark.half(["b1", "b2"], ["m1", "m2", "m3"], 5) == ["b1", "m1", "b2", "m2", "b1"]


def test_quantiles_of_nothing_are_none():
    assert quantiles([]) is None
    assert summary([Timed(0, 1.0)], 1.0)["first_text_s"] is None
    assert quantiles([3.0, 1.0, 2.0]) == {"p50": 2.0, "p95": 3.0}
