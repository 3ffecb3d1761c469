"""A report as Markdown: its words and tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from casa.evaluation.report.document import Cell, Document, Table

_SPECIAL = re.compile(r"([\\`*_{}\[\]|~$#!])")
_FIGURES = "The figures are in report.html."


def render_markdown(document: Document) -> str:
    """The text; nothing in a name is taken for Markdown or HTML."""
    figures = [_FIGURES] if any(section.figures for section in document.sections) else []
    return "\n\n".join([f"# {_escaped(document.title)}", *_blocks(document), *figures]) + "\n"


def _blocks(document: Document) -> Iterator[str]:
    for section in document.sections:
        yield f"## {_escaped(section.title)}"
        yield from (_escaped(paragraph) for paragraph in section.paragraphs)
        for table in section.tables:
            yield f"**{_escaped(table.title)}**"
            yield _table(table)
            if table.note:
                yield _escaped(table.note)


def _table(table: Table) -> str:
    marks = ["---:" if table.is_number(i) else "---" for i in range(len(table.header))]
    rows = [_row([_escaped(name) for name in table.header]), f"|{'|'.join(marks)}|"]
    return "\n".join([*rows, *(_row([_cell(value) for value in row]) for row in table.rows)])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: str | Cell) -> str:
    if isinstance(value, str):
        return _escaped(value)
    return _escaped(f"{value.text} ({value.small})" if value.small else value.text)


def _escaped(text: str) -> str:
    """HTML first, whose entities hold nothing that Markdown would take."""
    harmless = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", harmless)
