"""Serves the rating page: to this machine only by default, and with nothing that reaches the network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from casa.apps.annotation.page import FOLDER, rating_page
from casa.apps.annotation.session import Sessions

if TYPE_CHECKING:
    from fastapi import FastAPI

_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; media-src data:; font-src 'self' data:; base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,  # the browser asks nobody but this server
    "Referrer-Policy": "no-referrer",  # the address holds the rater's token
    "Cache-Control": "no-store",  # nothing is left in the browser
    "X-Content-Type-Options": "nosniff",
}
_CLOSED = (
    "/gradio_api/upload",
    "/gradio_api/component_server",
    "/gradio_api/file",
    "/gradio_api/proxy",
)  # not used here


def rating_app(sessions: Sessions) -> FastAPI:
    """The page as an ASGI application.

    Raises:
        MissingDependencyError: gradio is missing.
    """
    page = rating_page(sessions)

    import gradio as gr
    from fastapi import FastAPI, Request, Response

    app = FastAPI(openapi_url=None)

    @app.middleware("http")
    async def guard(request: Request, answer: Any) -> Response:
        closed = request.url.path.startswith(_CLOSED)
        response: Response = Response(status_code=404) if closed else await answer(request)
        for name, value in _HEADERS.items():
            if name != "Cache-Control" or not request.url.path.startswith("/assets/"):
                response.headers[name] = value
        return response

    system = ("system-ui", "sans-serif")  # gradio's own theme fetches fonts
    theme = gr.themes.Default(primary_hue="blue", font=system, font_mono=("ui-monospace", "monospace"))
    return gr.mount_gradio_app(
        app,
        page,
        path="/",
        theme=theme,
        css_paths=FOLDER / "page.css",
        head_paths=FOLDER / "keys.html",
        footer_links=[],
        run_history=False,  # else gradio keeps what raters see in their browsers
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
    )


def serve(path: Path, host: str, port: int) -> None:
    """Serves a batch until it is interrupted.

    Raises:
        DataError: the file is no batch.
        MissingDependencyError: gradio is missing.
    """
    app = rating_app(Sessions(path))
    import uvicorn

    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False)
