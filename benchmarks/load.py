"""A load of chat requests on a server, and how long it took them."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx

CHAT = "/v1/chat/completions"
TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Timed:
    """One streamed answer.

    Attributes:
        status: of HTTP; 0 where the connection or the stream broke.
        seconds: whole request.
        first_text_s: until the first piece of text; None where none came.
        tokens: generated, as the server counts them.
        label: the verdict; None from a server without one.
    """

    status: int
    seconds: float
    first_text_s: float | None = None
    tokens: int = 0
    label: str | None = None

    def token_s(self) -> float | None:
        """Mean time of a decoded token behind the first text; None where there is none. A safety token came before the text."""
        decoded = self.tokens - 1 - (self.label is not None)
        if self.first_text_s is None or decoded < 1:
            return None
        return (self.seconds - self.first_text_s) / decoded


async def ask(client: httpx.AsyncClient, model: str, text: str, max_tokens: int) -> Timed:
    """Asks for a streamed greedy answer and times it."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": text}],
        "max_tokens": max_tokens,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    begun, first_text_s, tokens, done = time.perf_counter(), None, 0, False
    try:
        async with client.stream("POST", CHAT, json=body) as response:
            async for line in response.aiter_lines():
                if line == "data: [DONE]":
                    done = True
                elif line.startswith("data: "):
                    event = json.loads(line.removeprefix("data: "))
                    if first_text_s is None and _has_text(event):
                        first_text_s = time.perf_counter() - begun
                    tokens = (event.get("usage") or {}).get("completion_tokens", tokens)
            status = response.status_code if done or response.status_code != 200 else 0
            label = response.headers.get("x-casa-verdict")
    except httpx.HTTPError:
        return Timed(0, time.perf_counter() - begun)
    return Timed(status, time.perf_counter() - begun, first_text_s, tokens, label)


async def run_load(url: str, model: str, texts: Sequence[str], concurrency: int, max_tokens: int) -> dict[str, Any]:
    """Sends all texts, `concurrency` at once, and sums up.

    Args:
        url: of the server.
        model: the name that it serves.
        texts: one request each.
        concurrency: requests at once.
        max_tokens: longest answer.
    """
    waiting, answers = iter(texts), list[Timed]()

    async def worker(client: httpx.AsyncClient) -> None:
        for text in waiting:
            answers.append(await ask(client, model, text, max_tokens))

    begun = time.perf_counter()
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, trust_env=False) as client:
        await asyncio.gather(*(worker(client) for _ in range(concurrency)))
    return summary(answers, time.perf_counter() - begun)


def summary(answers: Sequence[Timed], seconds: float) -> dict[str, Any]:
    """Figures of a load that took so many seconds; times are those of answers that came whole."""
    whole = [answer for answer in answers if answer.status == 200]
    return {
        "requests": len(answers),
        "failed": len(answers) - len(whole),
        "unsafe": sum(answer.label == "unsafe" for answer in whole),
        "seconds": seconds,
        "requests_per_s": len(whole) / seconds,
        "tokens_per_s": sum(answer.tokens for answer in whole) / seconds,
        "first_text_s": quantiles([a.first_text_s for a in whole if a.first_text_s is not None]),
        "token_s": quantiles([seconds for a in whole if (seconds := a.token_s()) is not None]),
        "request_s": quantiles([answer.seconds for answer in whole]),
    }


def quantiles(values: Sequence[float]) -> dict[str, float] | None:
    """Median and 95th percentile; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return {"p50": statistics.median(ordered), "p95": ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]}


def _has_text(event: dict[str, Any]) -> bool:
    return any(choice["delta"].get("content") for choice in event.get("choices", ()))
