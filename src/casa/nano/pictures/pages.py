"""Pictures that hold one whole text."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from casa.errors import CasaError
from casa.nano.pictures.fonts import Family
from casa.nano.pictures.styles import CELL, Style, least_pitch, sample_style
from casa.nano.pictures.text import RenderedText, render_text

_LEAST_SIZE = 20  # px; smaller letters are not asked for
_COLUMNS, _LEAST_ROWS, _MOST_ROWS = 16, 2, 16


def sample_page(text: str, rng: random.Random, fonts: Sequence[Family]) -> RenderedText | None:
    """A text in the lowest picture of 448 px width that holds it, in a random style, its letters of 20 px and more.

    None if it does not fit, or has a character that no font has.
    """
    style = _large(sample_style(rng, fonts, 1.0))
    for rows in range(_LEAST_ROWS, _MOST_ROWS + 1):
        try:
            return render_text(text, style, _COLUMNS * CELL, rows * CELL)
        except CasaError:
            continue
    return None


def _large(style: Style) -> Style:
    size = max(style.size, _LEAST_SIZE)
    return replace(style, size=size, pitch=max(style.pitch, least_pitch(size, style.rotation)))
