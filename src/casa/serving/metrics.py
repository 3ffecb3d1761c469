"""What Prometheus reads."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from casa.model.outputs import Verdict

_SHARES = tuple(i / 20 for i in range(1, 21))
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """Counters of one server.

    Args:
        waiting: conversations that wait for their batch.
        inside: conversations that wait or are answered.
    """

    def __init__(self, waiting: Callable[[], float], inside: Callable[[], float]) -> None:
        self._registry = registry = CollectorRegistry()
        self._verdicts = Counter("casa_verdicts", "Verdicts", ["endpoint", "label"], registry=registry)
        self._risk = Histogram("casa_risk", "v_s of each verdict", ["endpoint"], buckets=_SHARES, registry=registry)
        self._failed = Counter("casa_failed_verdicts", "Verdicts that could not be computed", registry=registry)
        self._retracted = Counter("casa_retracted_answers", "Answers taken back on the way", registry=registry)
        self._requests = Counter("casa_requests", "Requests", ["endpoint", "status"], registry=registry)
        self._seconds = Histogram(
            "casa_request_seconds", "Whole requests", ["endpoint"], buckets=_SECONDS, registry=registry
        )
        self._to_verdict = Histogram(
            "casa_verdict_seconds", "From a request to its verdict", ["endpoint"], buckets=_SECONDS, registry=registry
        )
        self._tokens = Counter("casa_tokens", "Tokens of answered turns", ["kind"], registry=registry)
        Gauge("casa_requests_waiting", "Conversations that wait for a batch", registry=registry).set_function(waiting)
        Gauge("casa_requests_inside", "Conversations waiting or running", registry=registry).set_function(inside)

    def verdict(self, endpoint: str, verdict: Verdict, seconds: float) -> None:
        """Counts a verdict, `seconds` after its request came."""
        self._verdicts.labels(endpoint, verdict.label).inc()
        self._to_verdict.labels(endpoint).observe(seconds)
        if verdict.failed:
            self._failed.inc()
        else:
            self._risk.labels(endpoint).observe(verdict.risk)

    def retracted(self) -> None:
        """Counts an answer that was taken back."""
        self._retracted.inc()

    def tokens(self, prompt: int, completion: int) -> None:
        """Counts the tokens of a turn."""
        self._tokens.labels("prompt").inc(prompt)
        self._tokens.labels("completion").inc(completion)

    def request(self, endpoint: str, status: int, seconds: float) -> None:
        """Counts a finished request."""
        self._requests.labels(endpoint, str(status)).inc()
        self._seconds.labels(endpoint).observe(seconds)

    def text(self) -> bytes:
        """All of them, in Prometheus' text form."""
        return generate_latest(self._registry)
