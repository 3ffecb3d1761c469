"""The demo's report as one HTML file that needs nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from casa.evaluation.demo import HARMFUL_KINDS, TEXT, DemoRow
from casa.evaluation.demo_report import METHODS, DemoReport, in_form
from casa.evaluation.drawings import as_data_url, heat_over_image, heat_over_sound, heat_over_text, placed, wav_url

_TEMPLATE = "demo.html.j2"


def render_report(report: DemoReport) -> str:
    """The page; everything that a model or a user wrote is escaped."""
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template(_TEMPLATE).render(
        report=report,
        text=TEXT,
        in_form=in_form,
        summary=report.summary,
        methods=METHODS,
        harmful=HARMFUL_KINDS,
        tokens=_tokens,
        control_share=_control_share,
        medium_share=_medium_share,
        sent=_sent,
        heat=_heat,
    )


def _tokens(row: DemoRow) -> Markup:
    return heat_over_text([token for token in row.attributions if token.place is None], row.verdict.risk)


def _control_share(row: DemoRow) -> float:
    """How much of v_s lies on control tokens, those that stand for a medium left out."""
    return sum(token.weight for token in row.attributions if token.control and token.place is None) / row.verdict.risk


def _medium_share(row: DemoRow) -> float:
    """How much of v_s lies on the picture or clip."""
    return sum(token.weight for token in row.attributions if token.place is not None) / row.verdict.risk


def _sent(medium: dict[str, Any]) -> str:
    """A picture or clip as a data URL."""
    if medium["type"] == "image":
        return as_data_url(medium["image"])
    return wav_url(medium["audio"], medium["sampling_rate"])


def _heat(row: DemoRow, medium: dict[str, Any]) -> str:
    """The shares of v_s over the row's picture, or over waveform and spectrogram of its clip, as a data URL."""
    shares = placed(row.attributions, medium["type"], 0)
    if medium["type"] == "image":
        return as_data_url(heat_over_image(medium["image"], shares))
    return as_data_url(heat_over_sound(medium["audio"], medium["sampling_rate"], shares))
