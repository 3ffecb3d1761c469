"""Asks a server for good and bad things for a long time: it may not crash, grow, or change its mind."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx
import psutil

from benchmarks.load import CHAT, TIMEOUT_S

MODERATIONS = "/v1/moderations"
LARGEST_DRIFT = 1e-2  # of p_unsafe: what batches and chunks may move it by rounding, bfloat16 included
LARGEST_GROWTH = 0.05  # of the memory after the first quarter
_BUSY = 429


@dataclass
class Soak:
    """What was seen so far.

    Attributes:
        statuses: how often each kind of request was answered with each status.
        wrong: kinds and statuses that must not be.
        verdicts: label and p_unsafe of each text when it was asked first.
        changed: texts whose label changed (their numbers in the list), one entry a time.
        drift: largest difference of p_unsafe from the first time.
        memory: megabytes of all processes of the server, over time.
    """

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    wrong: Counter[tuple[str, int]] = field(default_factory=Counter)
    verdicts: dict[int, tuple[str, float]] = field(default_factory=dict)
    changed: list[int] = field(default_factory=list)
    drift: float = 0.0
    memory: list[float] = field(default_factory=list)

    def saw(self, kind: str, status: int, expected: int) -> None:
        """Notes a status; a full server may say so at any time."""
        self.statuses[kind, status] += 1
        if status not in (expected, _BUSY):
            self.wrong[kind, status] += 1

    def decided(self, number: int, label: str, p_unsafe: float) -> None:
        """Notes the verdict on a text, and compares it with the first one."""
        first_label, first = self.verdicts.setdefault(number, (label, p_unsafe))
        self.drift = max(self.drift, abs(p_unsafe - first))
        if label != first_label:
            self.changed.append(number)

    def growth(self) -> float:
        """Share by which memory grew from the second quarter of the time to the last; the first one fills caches."""
        quarter = len(self.memory) // 4
        early = statistics.median(self.memory[quarter : 2 * quarter] or [0.0])
        return statistics.median(self.memory[-quarter:]) / early - 1 if early else 0.0

    def failures(self) -> list[str]:
        """What went wrong, in words."""
        found = {
            f"answers that must not be: {dict(self.wrong)}": bool(self.wrong),
            f"{len(self.changed)} verdicts changed": bool(self.changed),
            f"p_unsafe moved by {self.drift:.2g}": self.drift > LARGEST_DRIFT,
            f"memory grew by {self.growth():.1%}": self.growth() > LARGEST_GROWTH,
            "no verdict was seen": not self.verdicts,
        }
        return [text for text, holds in found.items() if holds]

    def figures(self) -> dict[str, Any]:
        """For a results file."""
        return {
            "requests": sum(self.statuses.values()),
            "statuses": {f"{kind} {status}": count for (kind, status), count in sorted(self.statuses.items())},
            "texts": len(self.verdicts),
            "verdicts_changed": len(self.changed),
            "largest_drift": self.drift,
            "memory_mb": {"first": self.memory[0], "last": self.memory[-1]} if self.memory else None,
            "memory_growth": self.growth(),
            "failures": self.failures(),
        }


def bad_requests(model: str) -> dict[str, tuple[str, bytes, int]]:
    """Path, body and expected status of requests that must be refused, by kind."""

    def chat(**fields: Any) -> bytes:
        return json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}], **fields}).encode()

    broken = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    return {
        "no JSON": (CHAT, b"{", 400),
        "steering": (CHAT, chat(logit_bias={"5": 100}), 400),
        "unknown field": (CHAT, chat(skip_safety=True), 400),
        "unknown model": (CHAT, chat(model="another"), 404),
        "broken image": (CHAT, chat(messages=[{"role": "user", "content": broken}]), 400),
        "too long": (CHAT, chat(messages=[{"role": "user", "content": "word " * 100_000}]), 400),
        "too many inputs": (MODERATIONS, json.dumps({"input": ["x"] * 5000}).encode(), 400),
    }


async def soak(
    url: str, pid: int, model: str, texts: Sequence[str], seconds: float, workers: int, seed: int, max_tokens: int = 32
) -> Soak:
    """Keeps `workers` requests of all kinds in flight for so long.

    Args:
        url: of the server.
        pid: of its first process.
        model: the name that it serves.
        texts: asked again and again.
        seconds: how long.
        workers: requests at once.
        seed: of the choice of requests.
        max_tokens: longest answer.
    """
    seen, rng, bad = Soak(), random.Random(seed), bad_requests(model)
    headers = {"content-type": "application/json"}

    async def worker(client: httpx.AsyncClient) -> None:
        kinds: list[Callable[..., Any]] = [_chat, _stream, _moderate, _leave]
        while time.monotonic() < end:
            number = rng.randrange(len(texts))
            if rng.random() < 0.2:
                kind = rng.choice(list(bad))
                path, body, expected = bad[kind]
                response = await client.post(path, content=body)
                seen.saw(kind, response.status_code, expected)
            else:
                await rng.choice(kinds)(client, seen, model, number, texts[number], max_tokens)

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
            seen.saw("connection", 0, 200)
            await asyncio.sleep(0.1)


def _body(model: str, text: str, max_tokens: int, **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": max_tokens, **fields}


async def _chat(client: httpx.AsyncClient, seen: Soak, model: str, number: int, text: str, max_tokens: int) -> None:
    response = await client.post(CHAT, json=_body(model, text, max_tokens, temperature=1.0))
    seen.saw("chat", response.status_code, 200)
    if response.status_code == 200:
        _note(seen, number, response.json()["casa"])


async def _stream(client: httpx.AsyncClient, seen: Soak, model: str, number: int, text: str, max_tokens: int) -> None:
    response = await client.post(CHAT, json=_body(model, text, max_tokens, stream=True))
    whole = response.status_code != 200 or response.text.endswith("data: [DONE]\n\n")
    seen.saw("stream", response.status_code if whole else 0, 200)


async def _moderate(client: httpx.AsyncClient, seen: Soak, model: str, number: int, text: str, max_tokens: int) -> None:
    response = await client.post(MODERATIONS, json={"input": [text], "model": model})
    seen.saw("moderation", response.status_code, 200)
    if response.status_code == 200:
        _note(seen, number, response.json()["results"][0]["casa"])


async def _leave(client: httpx.AsyncClient, seen: Soak, model: str, number: int, text: str, max_tokens: int) -> None:
    """Goes away after the verdict."""
    async with client.stream("POST", CHAT, json=_body(model, text, max_tokens, stream=True)) as response:
        seen.saw("left", response.status_code, 200)


def _note(seen: Soak, number: int, casa: dict[str, Any]) -> None:
    seen.decided(number, casa["label"], casa["p_unsafe"])


async def _require_empty(client: httpx.AsyncClient, seen: Soak) -> None:
    """In the end the server answers, and nobody is left inside."""
    for _ in range(60):
        try:
            text = (await client.get("/metrics")).text
        except httpx.HTTPError:
            seen.saw("gone", 0, 200)
            return
        if "casa_requests_inside 0.0" in text:
            return
        await asyncio.sleep(0.5)
    seen.saw("left inside", 0, 200)


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
