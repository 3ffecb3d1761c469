"""Serves the playground: to this machine only by default, and with nothing that reaches the network."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from casa.apps.local_app import local_app
from casa.apps.playground.backend import Backend
from casa.apps.playground.desk import Desk
from casa.apps.playground.page import playground_page
from casa.apps.playground.tradeoff import TradeOff
from casa.apps.playground.views import FOLDER

if TYPE_CHECKING:
    from fastapi import FastAPI


def playground_app(desk: Desk) -> FastAPI:
    """The page as an ASGI application.

    Raises:
        MissingDependencyError: gradio is missing.
    """
    return local_app(playground_page(desk), FOLDER / "page.css", media="'self' blob:")


def serve(backend: Backend, measured: TradeOff | None, reason: str, host: str, port: int) -> None:
    """Serves the page until it is interrupted; arguments as of `Desk`.

    Raises:
        MissingDependencyError: gradio is missing.
    """
    import uvicorn

    with TemporaryDirectory(prefix="casa-playground-") as folder:
        app = playground_app(Desk(backend, measured, reason, Path(folder)))
        uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False)
