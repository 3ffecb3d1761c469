"""Serves the rating page: to this machine only by default, and with nothing that reaches the network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from casa.apps.annotation.page import FOLDER, rating_page
from casa.apps.annotation.session import Sessions
from casa.apps.local_app import local_app

if TYPE_CHECKING:
    from fastapi import FastAPI

_NO_FILES = ("/gradio_api/upload", "/gradio_api/file")


def rating_app(sessions: Sessions) -> FastAPI:
    """The page as an ASGI application.

    Raises:
        MissingDependencyError: gradio is missing.
    """
    return local_app(rating_page(sessions), FOLDER / "page.css", head=[FOLDER / "keys.html"], closed=_NO_FILES)


def serve(path: Path, host: str, port: int) -> None:
    """Serves a batch until it is interrupted.

    Raises:
        DataError: the file is no batch.
        MissingDependencyError: gradio is missing.
    """
    app = rating_app(Sessions(path))
    import uvicorn

    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False)
