"""The tables of a report for LaTeX, with booktabs."""

from __future__ import annotations

import re

from casa.evaluation.report.document import DASH, Cell, Document, Table

_HEAD = r"""% Tables of `casa report`; they need
% \usepackage[T1]{fontenc}
% \usepackage[utf8]{inputenc}
% \usepackage{adjustbox,booktabs}"""
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "[": "{[}",  # a bracket after \\ would be an argument
    "]": "{]}",
    DASH: "--",
    "\N{PLUS-MINUS SIGN}": r"\textpm{}",
    "…": r"\ldots{}",
}
_PATTERN = re.compile("|".join(map(re.escape, _SPECIAL)))


def render_latex(document: Document) -> str:
    """The tables; no name is taken for a command."""
    tables = (_table(number, table) for number, table in enumerate(document.tables, start=1))
    return "\n\n".join([_HEAD, *tables]) + "\n"


def _table(number: int, table: Table) -> str:
    columns = "".join("r" if table.is_number(i) else "l" for i in range(len(table.header)))
    caption = ". ".join(filter(None, (table.title, table.note)))
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering\small",
            rf"\caption{{{_escaped(caption)}}}",
            rf"\label{{tab:casa-{number}}}",
            r"\begin{adjustbox}{max width=\linewidth}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            _row([_escaped(name) for name in table.header]),
            r"\midrule",
            *(_row([_cell(value) for value in row]) for row in table.rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{adjustbox}",
            r"\end{table}",
        ]
    )


def _row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _cell(value: str | Cell) -> str:
    if isinstance(value, str):
        return _escaped(value)
    small = rf" {{\scriptsize ({_escaped(value.small)})}}" if value.small else ""
    return _escaped(value.text) + small


def _escaped(text: str) -> str:
    return _PATTERN.sub(lambda found: _SPECIAL[found[0]], text)
