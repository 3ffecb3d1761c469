"""A gradio page as an application: it asks nobody but its own server, and leaves nothing behind in the browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from casa.errors import MissingDependencyError

if TYPE_CHECKING:
    from fastapi import FastAPI
    from gradio import Blocks

_NEVER_USED = ("/gradio_api/component_server", "/gradio_api/proxy")
_HEADERS = {
    "Referrer-Policy": "no-referrer",  # an address may hold a secret
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


def gradio_for(page: str) -> Any:
    """The gradio module.

    Raises:
        MissingDependencyError: gradio is missing.
    """
    try:
        import gradio
    except ImportError as error:
        raise MissingDependencyError(f"the {page} needs gradio: pip install 'casa-mllm[apps]'") from error
    return gradio


def local_app(
    page: Blocks, css: Path, head: Sequence[Path] = (), closed: Sequence[str] = (), media: str = "data:"
) -> FastAPI:
    """The page as an ASGI application.

    Args:
        page: what is shown.
        css: its style sheet.
        head: files of HTML for the page's head.
        closed: further paths of gradio's that the page does not use; they are 404.
        media: where images and sounds may come from beside "data:", as in a content security policy.
    """
    import gradio as gr
    from fastapi import FastAPI, Request, Response

    headers = {"Content-Security-Policy": _policy(media), **_HEADERS}
    shut = (*_NEVER_USED, *closed)
    app = FastAPI(openapi_url=None)

    @app.middleware("http")
    async def guard(request: Request, answer: Any) -> Response:
        path = request.url.path
        response: Response = Response(status_code=404) if path.startswith(shut) else await answer(request)
        for name, value in headers.items():
            if name != "Cache-Control" or not path.startswith("/assets/"):
                response.headers[name] = value
        return response

    system = ("system-ui", "sans-serif")  # gradio's own theme fetches fonts
    theme = gr.themes.Default(primary_hue="blue", font=system, font_mono=("ui-monospace", "monospace"))
    return gr.mount_gradio_app(
        app,
        page,
        path="/",
        theme=theme,
        css_paths=css,
        head_paths=list(head),
        footer_links=[],
        run_history=False,  # else gradio keeps what is seen in the browser
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
    )


def _policy(media: str) -> str:
    """What the browser may load, and from where."""
    return (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        f"img-src 'self' data: {media}; media-src data: {media}; font-src 'self' data:; worker-src 'self' {media}; "
        "base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
    )
