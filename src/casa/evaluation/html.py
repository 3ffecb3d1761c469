"""The demo's report as one HTML file that needs nothing else."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from casa.evaluation.demo import HARMFUL_KINDS, METHODS, DemoReport, DemoRow
from casa.model.outputs import Attribution

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
    """Spans without space between them, as the tokens hold their own."""
    largest = max((abs(token.weight) for token in row.attributions), default=0.0) or 1.0
    return Markup("").join(_span(token, token.weight / largest * row.verdict.risk) for token in row.attributions)


def _span(token: Attribution, depth: float) -> Markup:
    kind = "t control" if token.control else "t"
    text = Markup('<span class="break">↵</span>').join(escape(line) for line in token.text.split("\n"))
    span = Markup('<span class="{}" style="--w:{:.3f}" title="{:.4f}">{}</span>')
    return span.format(kind, depth, token.weight, text)


def _control_share(row: DemoRow) -> float:
    """How much of v_s lies on control tokens."""
    return sum(token.weight for token in row.attributions if token.control) / row.verdict.risk
