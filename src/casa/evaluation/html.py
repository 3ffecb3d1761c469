"""The demo's report as one HTML file that needs nothing else."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from casa.evaluation.demo import HARMFUL_KINDS, METHODS, DemoReport, DemoRow
from casa.evaluation.drawings import heat_over_text

_TEMPLATE = "demo.html.j2"


def render_report(report: DemoReport) -> str:
    """The page; everything that a model or a user wrote is escaped."""
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template(_TEMPLATE).render(
        report=report,
        summary=report.summary,
        methods=METHODS,
        harmful=HARMFUL_KINDS,
        tokens=_tokens,
        control_share=_control_share,
    )


def _tokens(row: DemoRow) -> Markup:
    return heat_over_text(row.attributions, row.verdict.risk)


def _control_share(row: DemoRow) -> float:
    """How much of v_s lies on control tokens."""
    return sum(token.weight for token in row.attributions if token.control) / row.verdict.risk
