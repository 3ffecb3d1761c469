"""`POST /v1/chat/completions`: the verdict, then the answer that is conditioned on it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from typing import Any

from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from casa.serving.answering import until, visible
from casa.serving.conversation import conversation
from casa.serving.door import Door
from casa.serving.engine import Decided, Ended, EngineError, Event, Piece, Retracted, Sampling, Turn
from casa.serving.errors import APIError, as_api_error
from casa.serving.requests import ChatRequest
from casa.serving.responses import Completion, server_sent, verdict_headers

PATH = "/v1/chat/completions"
_LAST_WORDS_S = 1.0  # to tell a client that its time is over


async def chat_completions(door: Door, asked: ChatRequest, held: AsyncExitStack) -> Response:
    """Answers a conversation; a stream's response begins once the verdict is there, so that it stands in the headers.

    Args:
        door: that is asked.
        asked: the request.
        held: what the request holds until it is answered, its place among it.

    Raises:
        APIError: nothing is answered.
        MessageError: the conversation is malformed.
        EngineError: the engine failed.
    """
    door.require_model(asked.model)
    begun = time.monotonic()
    deadline = asyncio.get_running_loop().time() + door.settings.request_timeout_s
    async with held.pop_all() as stack:
        turn = _turn(door, asked)
        async with asyncio.timeout_at(deadline):
            messages = await conversation(asked.messages, door.media)
        answer = door.engine.answer(Turn(messages, *turn))
        events = until(deadline, visible(answer, door.settings.refusal, asked.stops()))
        await stack.enter_async_context(aclosing(events))
        decided = await anext(events)
        if not isinstance(decided, Decided):
            raise EngineError("the answer began without a verdict")
        door.metrics.verdict(PATH, decided.verdict, time.monotonic() - begun)
        completion = Completion(asked.model, decided.verdict, decided.prompt_tokens)
        headers = verdict_headers(decided.verdict)
        if not asked.stream:
            return JSONResponse(await _whole(door, completion, events), headers=headers)
        with_usage = asked.stream_options is not None and asked.stream_options.include_usage
        chunks = _streamed(door, completion, events, with_usage)
        return _EventStream(chunks, headers, deadline + _LAST_WORDS_S, stack.pop_all())


def _turn(door: Door, asked: ChatRequest) -> tuple[Sampling, list[dict[str, Any]]]:
    """Sampling and tools of a request."""
    asked.require_clear_prefill(door.settings.prefill)
    limit = door.settings.max_new_tokens
    length = asked.max_completion_tokens or asked.max_tokens or limit
    if length > limit:
        raise APIError(400, f"this server answers with at most {limit} tokens", "invalid_value", "max_tokens")
    temperature = 0.0 if asked.temperature is None else asked.temperature
    top_p = 1.0 if asked.top_p is None else asked.top_p
    return Sampling(length, temperature, top_p, asked.seed), asked.offered_tools()


async def _whole(door: Door, completion: Completion, events: AsyncGenerator[Event, None]) -> dict[str, Any]:
    pieces = []
    async for event in events:
        if isinstance(event, Piece):
            pieces.append(event.text)
        elif isinstance(event, Retracted):
            door.metrics.retracted()
            pieces.clear()
        elif isinstance(event, Ended):
            door.metrics.tokens(completion.prompt_tokens, event.tokens)
            return completion.whole("".join(pieces).strip(), event)
    raise EngineError("the answer has no end")


async def _streamed(
    door: Door, completion: Completion, events: AsyncGenerator[Event, None], with_usage: bool
) -> AsyncGenerator[str, None]:
    """Server-sent events; an error on the way is the last one, without [DONE]."""
    yield server_sent(completion.first_chunk())
    try:
        async for event in events:
            if isinstance(event, Piece):
                yield server_sent(completion.text_chunk(event.text))
            elif isinstance(event, Retracted):
                door.metrics.retracted()
            elif isinstance(event, Ended):
                door.metrics.tokens(completion.prompt_tokens, event.tokens)
                yield server_sent(completion.last_chunk(event))
                if with_usage:
                    yield server_sent(completion.usage_chunk(event))
                yield "data: [DONE]\n\n"
    except Exception as error:
        yield server_sent(as_api_error(error).body())


class _EventStream(StreamingResponse):
    """A stream that lets go of what it holds whatever happens, also where the client has gone or reads no more."""

    media_type = "text/event-stream"

    def __init__(
        self, chunks: AsyncGenerator[str, None], headers: dict[str, str], deadline: float, held: AsyncExitStack
    ) -> None:
        super().__init__(chunks, headers=headers)
        self._chunks, self._deadline, self._held = chunks, deadline, held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._held, aclosing(self._chunks), asyncio.timeout_at(self._deadline):
            await super().__call__(scope, receive, send)
