"""What a report is made of, in no format yet; every string is plain text, which the formats escape."""

from __future__ import annotations

from dataclasses import dataclass

from casa.evaluation.goals import GoalRate
from casa.evaluation.metrics import Estimate, Rate

DASH = "\N{EN DASH}"
MISSING = DASH
OVER_GOALS = "*"


@dataclass(frozen=True)
class Cell:
    """A number in a table.

    Attributes:
        text: the number.
        small: what it rests on, such as an interval.
    """

    text: str
    small: str = ""


Line = tuple[str | Cell, ...]


def line(*cells: str | Cell) -> Line:
    """One row of a table."""
    return cells


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        title: what it shows.
        header: names of its columns.
        rows: its cells; names are strings, numbers are cells.
        note: what must be known to read it.
        alarming: whether it tells of something that went wrong.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[Line, ...]
    note: str = ""
    alarming: bool = False

    def is_number(self, column: int) -> bool:
        """Whether a column holds numbers."""
        return any(isinstance(row[column], Cell) for row in self.rows)


@dataclass(frozen=True)
class Figure:
    """A figure.

    Attributes:
        title: what it shows.
        svg: in the colours for light pages.
        wide: whether it needs the page's width.
    """

    title: str
    svg: str
    wide: bool = False


@dataclass(frozen=True)
class Section:
    """A section.

    Attributes:
        title: its heading.
        paragraphs: what is said first.
        tables: its tables.
        figures: its figures.
    """

    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True)
class Document:
    """A report.

    Attributes:
        title: its heading.
        sections: only those that the logs hold something for.
    """

    title: str
    sections: tuple[Section, ...]

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables of all sections."""
        return tuple(table for section in self.sections for table in section.tables)


def rate_cell(rate: Rate | None) -> Cell:
    """A rate and its interval in per cent; `OVER_GOALS` marks one that was bootstrapped over goals."""
    if rate is None:
        return Cell(MISSING)
    mark = OVER_GOALS if isinstance(rate, GoalRate) else ""
    return Cell(f"{100 * rate.rate:.1f}", f"{100 * rate.low:.1f}{DASH}{100 * rate.high:.1f}{mark}")


def area_cell(area: Estimate | None) -> Cell:
    """An area and its interval; a dash where there is none."""
    if area is None:
        return Cell(MISSING)
    return Cell(f"{area.value:.3f}", f"{area.low:.3f}{DASH}{area.high:.3f}")


def p_text(p: float) -> str:
    """A p-value, no more exact than it is read."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"
