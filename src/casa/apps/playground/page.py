"""The playground as a gradio page: its parts, and which of them each button reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from casa.apps.local_app import gradio_for
from casa.apps.playground.attacks import ATTACKS
from casa.apps.playground.desk import PARTS, Desk, Session, View
from casa.apps.playground.views import intro_html, verdict_html

if TYPE_CHECKING:
    from gradio import Blocks

_CHECKED_S, _KEPT_S = 600, 3600  # uploads are deleted after an hour, and when the server stops
_MEDIA = [".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".wav", ".flac", ".ogg", ".mp3"]
_AT_ONCE = 8  # queries of all open pages
_LONGEST_TEXT = 1_000_000  # characters; beyond it gradio would make a file of a pasted text


def playground_page(desk: Desk) -> Blocks:
    """The page.

    Raises:
        MissingDependencyError: gradio is missing.
    """
    gr = gradio_for("playground")

    threshold, has_base = desk.backend.threshold, desk.backend.base is not None
    html = partial(gr.HTML, js_on_load=None, apply_default_css=False)
    part: dict[str, Any] = {}
    with gr.Blocks(title="CASA playground", analytics_enabled=False, delete_cache=(_CHECKED_S, _KEPT_S)) as page:
        part["session"] = gr.State(Session())
        html(intro_html(desk.backend.model, has_base))
        with gr.Row(elem_id="casa-columns"):
            with gr.Column(scale=3, min_width=320):
                part["box"] = gr.MultimodalTextbox(
                    show_label=False,
                    placeholder="Ask something; images and clips may be added",
                    sources=["upload", "microphone"],
                    file_count="multiple",
                    file_types=_MEDIA,
                    max_plain_text_length=_LONGEST_TEXT,
                    elem_id="casa-box",
                )
                with gr.Row(elem_classes="casa-buttons"):
                    html('<p class="casa-play casa-soft">Turn the query into</p>')
                    attacks = [(attack, _button(attack.label, f"attack-{attack.name}")) for attack in ATTACKS]
                with gr.Row(elem_classes="casa-buttons"):
                    plain, example = _button("Plain again", "plain"), _button("Example", "example")
                    anew = _button("New conversation", "anew")
                for name in ("note", "question", "answers", "attention", "earlier"):
                    part[name] = html(elem_id=f"casa-{name}")
            with gr.Column(scale=2, min_width=320):
                part["verdict"] = html(verdict_html(None, threshold), elem_id="casa-verdict")
                slider = gr.Slider(0.01, 0.99, threshold, step=0.01, label="Threshold", elem_id="casa-threshold")
                part["trade_off"] = html(desk.trade_off(threshold), elem_id="casa-tradeoff")

        def named(view: View) -> dict[Any, Any]:
            return {part[name]: value for name, value in view.items()}

        def shows(act: Callable[..., View]) -> Callable[..., dict[Any, Any]]:
            return lambda *given: named(act(*given))

        def send(*given: Any) -> Iterator[dict[Any, Any]]:
            yield from map(named, desk.send(*given))

        view = [part[name] for name in PARTS]
        box, session = part["box"], part["session"]
        settings: dict[str, Any] = {"outputs": view, "show_progress": "hidden", "api_visibility": "private"}
        box.submit(send, [box, session, slider], concurrency_limit=_AT_ONCE, **settings)
        for attack, button in attacks:
            button.click(shows(partial(desk.attack, attack)), [box, session], **settings)
        plain.click(shows(desk.unattack), [box, session], queue=False, **settings)
        example.click(shows(desk.example), [session], queue=False, **settings)
        anew.click(shows(desk.begin_anew), [session, slider], queue=False, **settings)
        slider.change(shows(desk.move), [slider, session], queue=False, trigger_mode="always_last", **settings)
    return page


def _button(label: str, name: str) -> Any:
    import gradio as gr

    return gr.Button(label, size="sm", min_width=0, elem_id=f"casa-{name}")
