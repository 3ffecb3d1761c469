"""From an engine's events to those that a client sees: the refusal policy, stop strings, and an end that is certain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from casa.model.refusal import FIXED_REFUSAL
from casa.serving.engine import Decided, Ended, EngineError, Event, Piece, Retracted
from casa.serving.settings import RefusalPolicy
from casa.serving.stop_strings import StopStrings


async def visible(
    events: AsyncGenerator[Event, None], refusal: RefusalPolicy, stops: Sequence[str] = ()
) -> AsyncGenerator[Event, None]:
    """The verdict, text without leading blanks up to the first stop string, and the end; a refusal after `Retracted`.

    Where the engine need not go on, it is stopped: at a stop string, and after an unsafe verdict unless the model itself refuses.

    Raises:
        EngineError: the engine told no verdict first, a second one, or no end.
    """
    async with aclosing(events):
        first = await anext(events, None)
        if not isinstance(first, Decided):
            raise EngineError("the engine began an answer without a verdict")
        yield first
        unsafe = first.verdict.label != "safe"
        if first.verdict.failed or (unsafe and refusal != "model"):
            if refusal != "verdict":
                yield Piece(FIXED_REFUSAL, 1)
            yield Ended("content_filter", 1)
            return
        stopper, begun = StopStrings(stops), False
        async for event in events:
            if isinstance(event, Decided):
                raise EngineError("the engine decided twice")
            if isinstance(event, Retracted):
                yield event
                if refusal != "verdict":
                    yield Piece(f"\n\n{FIXED_REFUSAL}" if begun else FIXED_REFUSAL, event.tokens)
                yield Ended("content_filter", event.tokens)
                return
            ended = isinstance(event, Ended)
            text = stopper.end() if isinstance(event, Ended) else stopper.take(event.text)
            text = text if begun else text.lstrip()
            if text:
                begun = True
                yield Piece(text, event.tokens)
            if ended or stopper.found:
                if unsafe and not begun:
                    yield Piece(FIXED_REFUSAL, event.tokens)
                reason = event.finish_reason if isinstance(event, Ended) else "stop"
                yield Ended("content_filter" if unsafe else reason, event.tokens)
                return
        raise EngineError("the engine's answer has no end")


async def until(deadline: float, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """The same events, as long as each comes before the deadline, in the event loop's time.

    Raises:
        TimeoutError: one did not.
    """
    async with aclosing(events):
        while True:
            async with asyncio.timeout_at(deadline):
                event = await anext(events, None)
            if event is None:
                return
            yield event
