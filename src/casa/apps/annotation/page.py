"""The page where a rater rates, as a gradio application.

Each button sends the rater's token and the number of the answer that the page shows, so that the server keeps no state: a restart,
a second tab or two quick keys never rate an answer that was not on the screen.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from casa.apps.annotation.rubrics import BACK_KEY, RUBRICS, SKIPS
from casa.apps.annotation.session import Progress, Sessions, Task
from casa.apps.local_app import gradio_for
from casa.errors import CasaError

if TYPE_CHECKING:
    from gradio import Blocks

FOLDER = Path(__file__).parent
_ROLES = {"system": "System message", "user": "User", "assistant": "Assistant"}
_TOKEN = "() => new URLSearchParams(location.search).get('rater') ?? ''"
_NOT_SAVED = "This was not saved. Please try again, or tell the people who run the study."
_TO_TOP = "() => window.scrollTo(0, 0)"


def rating_page(sessions: Sessions) -> Blocks:
    """The page; a rater's token is in the address, as `?rater=TOKEN`.

    Raises:
        MissingDependencyError: gradio is missing.
    """
    gr = gradio_for("rating page")

    with gr.Blocks(title="Rating answers", analytics_enabled=False) as page:
        token, shown = gr.Textbox(visible=False), gr.Textbox(visible=False)
        notice, content = gr.HTML(js_on_load=None, elem_id="casa-notice"), gr.HTML(js_on_load=None)
        start = gr.Button("Start", variant="primary", visible=False, elem_id="casa-start")
        with gr.Column(visible=False, elem_id="casa-actions") as actions:
            rows, buttons = {}, []
            for rubric in RUBRICS.values():
                with gr.Row(visible=False) as rows[rubric.name]:
                    for option in rubric.options:
                        button = _button(f"{option.key}  {option.label}", f"{rubric.name}-{option.key}", "primary")
                        buttons.append((button, partial(_rate, sessions, option.value)))
            with gr.Row():
                buttons.append((_button("Back", BACK_KEY), partial(_back, sessions)))
                for skip in SKIPS:
                    buttons.append((_button(skip.label, skip.key), partial(_rate, sessions, skip.value)))

        view = [notice, content, shown, start, actions, *rows.values()]

        def updates(progress: Progress | None, task: Task | None, told: str = "") -> list[Any]:
            waits = task is None and progress is not None and progress.done < progress.total
            return [
                _status(told),
                task_html(progress, task),
                "" if task is None else str(task.assignment),
                gr.update(visible=waits, value="Go on" if progress and progress.done else "Start"),
                gr.update(visible=task is not None),
                *(gr.update(visible=task is not None and task.rubric.name == name) for name in rows),
            ]

        def opened(given: str) -> list[Any]:
            return [given, *updates(sessions.progress(given), None)]

        def goes_on(given: str, told: str = "") -> list[Any]:
            return updates(sessions.progress(given), sessions.next_task(given), told)

        def acted(action: Any, given: str, number: str) -> list[Any]:
            try:
                return goes_on(given, action(given, number))
            except (CasaError, ValueError):  # what is on the screen stays there
                return [_status(_NOT_SAVED), *(gr.skip() for _ in view[1:])]

        settings: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
        page.load(opened, token, [token, *view], js=_TOKEN, **settings)
        start.click(goes_on, token, view, **settings).then(None, js=_TO_TOP)
        for button, action in buttons:
            button.click(partial(acted, action), [token, shown], view, **settings).success(None, js=_TO_TOP)
    return page


def _button(label: str, key: str, variant: Literal["primary", "secondary"] = "secondary") -> Any:
    import gradio as gr

    return gr.Button(label, variant=variant, elem_id=f"casa-key-{key}")


def _rate(sessions: Sessions, said: str, token: str, shown: str) -> str:
    """Rates what was on the screen; says so if that had been done."""
    return "" if sessions.rate(token, int(shown), said) else "You had rated this one already, perhaps in another tab."


def _back(sessions: Sessions, token: str, shown: str) -> str:
    return "" if sessions.take_back(token) else "There is nothing to go back to."


def _status(told: str) -> str:
    return f'<p role="status">{told}</p>' if told else ""


def task_html(progress: Progress | None, task: Task | None) -> str:
    """What a rater reads; everything that a user or a model wrote is escaped."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("task.html.j2").render(
        progress=progress,
        task=task,
        rubrics=RUBRICS.values(),
        skips=SKIPS,
        back=BACK_KEY,
        roles=_ROLES,
        parts=_parts,
        last_text=_last_text,
    )


def _parts(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _last_text(conversation: list[dict[str, Any]]) -> str:
    texts = [part["text"] for message in conversation for part in _parts(message["content"]) if part["type"] == "text"]
    return texts[-1] if texts else ""
