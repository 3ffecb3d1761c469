"""An engine that says what a test tells it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any

from casa.model.outputs import Verdict
from casa.serving.engine import Decided, Ended, Event, Piece, Retracted, Turn

SAFE = Verdict("safe", 0.1, 0.2, 0.5)
UNSAFE = Verdict("unsafe", 0.9, 0.8, 0.5)
FAILED = Verdict("unsafe", 1.0, float("nan"), 0.5, failed=True)


@dataclass
class ScriptedEngine:
    """Yields the script: exceptions are raised, "back" takes the answer back, a float is waited for, None until `go` is set."""

    script: Sequence[Any] = (SAFE, "Hello", " there", "stop")
    turns: list[Turn] = field(default_factory=list)
    judged: list[Any] = field(default_factory=list)
    open: int = 0
    dead: bool = False
    go: asyncio.Event | None = None

    async def start(self) -> None:
        self.go = asyncio.Event()

    async def stop(self) -> None:
        pass

    def alive(self) -> bool:
        return not self.dead

    def waiting(self) -> int:
        return 0

    async def classify(self, conversations: Sequence[Any]) -> list[Verdict]:
        self.judged.extend(conversations)
        first = self.script[0]
        if isinstance(first, Exception):
            raise first
        if not isinstance(first, Verdict):
            await self._pause(first)
        return [first for _ in conversations]

    async def answer(self, turn: Turn) -> AsyncGenerator[Event, None]:
        self.turns.append(turn)
        self.open += 1
        count = 1
        try:
            for step in self.script:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, Verdict):
                    yield Decided(step, 7)
                elif step in ("stop", "length"):
                    yield Ended(step, count)
                elif step == "back":
                    yield Retracted(count)
                elif isinstance(step, str):
                    count += 1
                    yield Piece(step, count)
                else:
                    await self._pause(step)
        finally:
            self.open -= 1

    async def _pause(self, seconds: float | None) -> None:
        assert self.go is not None
        await (self.go.wait() if seconds is None else asyncio.sleep(seconds))
