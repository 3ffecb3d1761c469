"""Asks a server for good and bad things for a long time: it may not crash, grow, or give a wrong verdict."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx
import psutil

from benchmarks.load import TIMEOUT_S
from benchmarks.soak_requests import FORMS, MODERATIONS, Form, Known, bad_requests

LARGEST_GROWTH = 0.05  # of the memory after the first quarter
_BUSY = 429


@dataclass
class Soak:
    """What was seen so far.

    Attributes:
        asked: conversations and the verdicts that must be given on them.
        statuses: how often each kind of request was answered with each status.
        wrong: kinds and statuses that must not be.
        verdicts: how many were read.
        mistaken: kinds of request and numbers of the conversations on which a verdict was another one, one entry a time.
        drift: largest difference of p_unsafe.
        memory: megabytes of all processes of the server, over time.
    """

    asked: Sequence[Known]
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    wrong: Counter[tuple[str, int]] = field(default_factory=Counter)
    verdicts: int = 0
    mistaken: list[tuple[str, int]] = field(default_factory=list)
    drift: float = 0.0
    memory: list[float] = field(default_factory=list)

    def saw(self, kind: str, status: int, expected: Collection[int] = (200,)) -> None:
        """Notes a status; a full server may say so at any time."""
        self.statuses[kind, status] += 1
        if status not in (*expected, _BUSY):
            self.wrong[kind, status] += 1

    def decided(self, kind: str, number: int, label: str, p_unsafe: float) -> None:
        """Notes the verdict on a conversation, and compares it with the one that is expected."""
        self.verdicts += 1
        self.drift = max(self.drift, abs(p_unsafe - self.asked[number].verdict.p_unsafe))
        if not self.asked[number].agrees(label, p_unsafe):
            self.mistaken.append((kind, number))

    def growth(self) -> float:
        """Share by which memory grew from the second quarter of the time to the last; the first one fills caches."""
        quarter = len(self.memory) // 4
        early = statistics.median(self.memory[quarter : 2 * quarter] or [0.0])
        return statistics.median(self.memory[-quarter:]) / early - 1 if early else 0.0

    def failures(self) -> list[str]:
        """What went wrong, in words."""
        found = {
            f"answers that must not be: {dict(self.wrong)}": bool(self.wrong),
            f"{len(self.mistaken)} wrong verdicts (p_unsafe differs by up to {self.drift:.2g}): "
            f"{sorted(set(self.mistaken))[:10]}": bool(self.mistaken),
            f"memory grew by {self.growth():.1%}": self.growth() > LARGEST_GROWTH,
            "no verdict was seen": not self.verdicts,
        }
        return [text for text, holds in found.items() if holds]

    def figures(self) -> dict[str, Any]:
        """For a results file."""
        return {
            "requests": sum(self.statuses.values()),
            "statuses": {f"{kind} {status}": count for (kind, status), count in sorted(self.statuses.items())},
            "conversations": len(self.asked),
            "verdicts": self.verdicts,
            "verdicts_wrong": len(self.mistaken),
            "largest_drift": self.drift,
            "memory_mb": {"first": self.memory[0], "last": self.memory[-1]} if self.memory else None,
            "memory_growth": self.growth(),
            "failures": self.failures(),
        }


async def soak(
    url: str,
    pid: int,
    model: str,
    asked: Sequence[Known],
    seconds: float,
    workers: int,
    seed: int,
    max_tokens: int = 32,
) -> Soak:
    """Keeps `workers` requests of all kinds in flight for so long.

    Args:
        url: of the server.
        pid: of its first process.
        model: the name that it serves.
        asked: again and again.
        seconds: how long.
        workers: requests at once.
        seed: of the choice of requests.
        max_tokens: longest answer.
    """
    seen, rng, bad = Soak(asked), random.Random(seed), bad_requests(model)
    headers = {"content-type": "application/json"}

    async def worker(client: httpx.AsyncClient) -> None:
        while time.monotonic() < end:
            if rng.random() < 0.2:
                kind = rng.choice(list(bad))
                path, body, expected = bad[kind]
                response = await client.post(path, content=body)
                seen.saw(kind, response.status_code, expected)
            else:
                number, kind = rng.randrange(len(asked)), rng.choice(list(FORMS))
                await _ask(client, seen, kind, number, FORMS[kind].body(model, asked[number].messages, max_tokens))

    async def watch() -> None:
        while time.monotonic() < end:
            seen.memory.append(megabytes(pid))
            await asyncio.sleep(min(5.0, seconds / 20))

    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT_S, trust_env=False) as client:
        end = time.monotonic() + seconds
        await asyncio.gather(watch(), *(_surely(worker, client, seen, end) for _ in range(workers)))
        await _require_empty(client, seen)
    return seen


async def _surely(worker: Callable[..., Any], client: httpx.AsyncClient, seen: Soak, end: float) -> None:
    """A worker that goes on after a broken connection, which is noted as status 0."""
    while time.monotonic() < end:
        try:
            await worker(client)
        except httpx.HTTPError:
            seen.saw("connection", 0)
            await asyncio.sleep(0.1)


async def _ask(client: httpx.AsyncClient, seen: Soak, kind: str, number: int, body: dict[str, Any]) -> None:
    form = FORMS[kind]
    async with client.stream("POST", form.path, json=body) as response:
        status = response.status_code
        if kind != "left":
            await response.aread()
            cut = status == 200 and body.get("stream") and not response.text.endswith("data: [DONE]\n\n")
            status = 0 if cut else status
        seen.saw(kind, status, form.statuses)
        if status == 200 and form.alone:
            seen.decided(kind, number, *_verdict(form, response))


def _verdict(form: Form, response: httpx.Response) -> tuple[str, float]:
    """Label and p_unsafe of a response."""
    if form.path == MODERATIONS:
        casa = response.json()["results"][0]["casa"]
        return casa["label"], casa["p_unsafe"]
    return response.headers["x-casa-verdict"], float(response.headers["x-casa-p-unsafe"])


async def _require_empty(client: httpx.AsyncClient, seen: Soak) -> None:
    """In the end the server answers, and nobody is left inside."""
    for _ in range(60):
        try:
            text = (await client.get("/metrics")).text
        except httpx.HTTPError:
            seen.saw("gone", 0)
            return
        if "casa_requests_inside 0.0" in text:
            return
        await asyncio.sleep(0.5)
    seen.saw("left inside", 0)


def megabytes(pid: int) -> float:
    """Resident memory of a process and all that it started, in millions of bytes; 0 where it is gone."""
    try:
        first = psutil.Process(pid)
        family = [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    total = 0
    for process in family:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 1e6
