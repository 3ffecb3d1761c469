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


def test_casa_is_compared_with_the_base_model_at_each_level(serve, monkeypatch):
    monkeypatch.setattr(benchmark, "NAME", MODEL)
    servers = {"base": serve(SAFE, 0.02, "x", 0.02, "y", 0.02, "z", "stop"), "casa": serve(SAFE, 0.2, "x", "stop")}
    one, two = benchmark.compared(benchmark.measured(servers, {"benign": ["a", "b", "c", "d"]}, [1, 2], 4))
    assert (one["concurrency"], two["concurrency"]) == (1, 2)
    for found in (one, two):
        assert 0.1 < found["added_first_text_s"] < 1 and 0.01 < found["base_token_s"] < 0.2
        assert found["requests_share"] < 1
    nothing = summary([], 1.0)
    broken = benchmark.compared([{"load": "x", "concurrency": 1, "server": s, **nothing} for s in ("base", "casa")])
    assert broken[0]["added_first_text_s"] is None and broken[0]["requests_share"] is None


def test_a_level_needs_enough_requests_to_be_reached(capsys):
    with pytest.raises(SystemExit):
        benchmark.main(["--requests", "24", "--concurrency", "1", "32"])
    assert "at least 64" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Timed(200, 1.1, 0.1, 11), 0.1),
        (Timed(200, 1.1, 0.1, 12, "safe"), 0.1),
        (Timed(200, 1.1, 0.1, 2, "safe"), None),
        (Timed(200, 1.1, None, 5), None),
    ],
)
def test_the_time_of_a_token_leaves_the_first_and_the_safety_token_out(answer, expected):
    assert answer.token_s() == (None if expected is None else pytest.approx(expected))


def test_half_of_a_load_is_malicious():
    assert benchmark.half(["b1", "b2"], ["m1", "m2", "m3"], 5) == ["b1", "m1", "b2", "m2", "b1"]


def test_quantiles_of_nothing_are_none():
    assert quantiles([]) is None
    assert summary([Timed(0, 1.0)], 1.0)["first_text_s"] is None
    assert quantiles([3.0, 1.0, 2.0]) == {"p50": 2.0, "p95": 3.0}
