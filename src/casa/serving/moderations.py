"""`POST /v1/moderations`: verdicts without answers."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

from starlette.responses import JSONResponse, Response

from casa.serving.conversation import judged, kinds
from casa.serving.door import Door
from casa.serving.requests import ModerationRequest
from casa.serving.responses import moderation

PATH = "/v1/moderations"


async def moderations(door: Door, asked: ModerationRequest, held: AsyncExitStack) -> Response:
    """Judges each input with one prefill; the inputs of a request share batches.

    Args:
        door: that is asked.
        asked: the request.
        held: what the request holds until it is answered, one place among it.

    Raises:
        APIError: nothing is judged.
        MessageError: an input is malformed.
        EngineError: the engine failed.
        TimeoutError: it took too long.
    """
    if asked.model is not None:
        door.require_model(asked.model)
    begun = time.monotonic()
    count = len(asked.input) if isinstance(asked.input, list) and isinstance(asked.input[0], str) else 1
    held.enter_context(door.admission.places(count - 1, held=1))
    async with asyncio.timeout(door.settings.request_timeout_s):
        verdicts = await door.engine.classify(await judged(asked.input, door.media))
    for verdict in verdicts:
        door.metrics.verdict(PATH, verdict, time.monotonic() - begun)
    return JSONResponse(moderation(door.settings.model, verdicts, kinds(asked.input)))
