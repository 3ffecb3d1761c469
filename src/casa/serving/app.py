"""The door as an ASGI application."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from casa.serving import chat, moderations
from casa.serving.door import Door
from casa.serving.errors import APIError, as_api_error
from casa.serving.middleware import OPEN_PATHS, Boundary, RequireKey
from casa.serving.receiving import limited_body, unless_gone
from casa.serving.requests import Body, ChatRequest, ModerationRequest, parsed

Endpoint = Callable[[Request], Awaitable[Response]]
Answer = Callable[[Door, Body, AsyncExitStack], Coroutine[Any, Any, Response]]


def create_app(door: Door) -> Starlette:
    """An application that answers at this door; it starts and stops the engine."""

    @asynccontextmanager
    async def engine_running(app: Starlette) -> AsyncIterator[None]:
        await door.engine.start()
        try:
            yield
        finally:
            door.admission.close()
            await door.engine.stop()

    routes = [
        Route(chat.PATH, _post(door, ChatRequest, chat.chat_completions), methods=["POST"]),
        Route(moderations.PATH, _post(door, ModerationRequest, moderations.moderations), methods=["POST"]),
        Route("/v1/completions", _raw_completions, methods=["POST"]),
        Route("/v1/models", _models(door)),
        Route("/v1/models/{name:path}", _models(door)),
        Route("/metrics", _metrics(door)),
        Route(OPEN_PATHS[0], _health(door)),
        Route(OPEN_PATHS[1], _ready(door)),
    ]
    middleware = [Middleware(Boundary, door.metrics, {route.path for route in routes})]
    if door.settings.api_key is not None:
        middleware.append(Middleware(RequireKey, door.settings.api_key))
    return Starlette(
        routes=routes,
        middleware=middleware,
        exception_handlers={HTTPException: _no_such_route},
        lifespan=engine_running,
    )


def _post(door: Door, form: type[Body], answer: Answer[Body]) -> Endpoint:
    """Bodies are read of those only who have a place, so that no more of them are held than conversations."""

    async def endpoint(request: Request) -> Response:
        try:
            _require_json(request)
            async with AsyncExitStack() as held:
                held.enter_context(door.admission.places())
                async with asyncio.timeout(door.settings.request_timeout_s):
                    body = await limited_body(request, door.settings.max_body_mb)
                return await unless_gone(request, answer(door, parsed(body, form), held))
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            return as_api_error(error).response()

    return endpoint


def _require_json(request: Request) -> None:
    """A browser sends this content type to another site only with that site's consent, so that no page can use this server."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise APIError(415, "send JSON, with the header 'content-type: application/json'", "unsupported_media_type")


async def _raw_completions(request: Request) -> Response:
    message = "raw completions have no place for the safety token; use /v1/chat/completions"
    return APIError(400, message, "unsupported_endpoint").response()


def _models(door: Door) -> Endpoint:
    created = int(time.time())

    async def endpoint(request: Request) -> Response:
        model = {"id": door.settings.model, "object": "model", "created": created, "owned_by": "casa"}
        name = request.path_params.get("name")
        if name is None:
            return JSONResponse({"object": "list", "data": [model]})
        try:
            door.require_model(name)
        except APIError as error:
            return error.response()
        return JSONResponse(model)

    return endpoint


def _metrics(door: Door) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return Response(door.metrics.text(), media_type="text/plain; version=0.0.4")

    return endpoint


def _health(door: Door) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        if not door.engine.alive():
            return JSONResponse({"status": "the engine has failed; restart the server"}, 503)
        return JSONResponse({"status": "ok"})

    return endpoint


def _ready(door: Door) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        if door.admission.closed:
            return JSONResponse({"status": "shutting down"}, 503)
        return JSONResponse({"status": "ready"})

    return endpoint


async def _no_such_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "registered for these only"
    message = f"{error.detail}: {request.method} {request.url.path}"
    return APIError(error.status_code, message, "no_such_route", headers=error.headers).response()
