"""Colours as (red, green, blue), 0 to 255, and whether ink can be told from paper."""

from __future__ import annotations

from collections.abc import Sequence

Colour = tuple[int, int, int]


def luminance(colour: Sequence[float]) -> float:
    """Relative luminance, 0 to 1 (WCAG 2)."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(ink: Colour, papers: Sequence[Colour]) -> float:
    """Least contrast ratio (WCAG 2, 1 to 21) of ink against any mixture of the papers; 1 if some mixture may equal it."""
    darkest = luminance([min(channel) for channel in zip(*papers, strict=True)])
    lightest = luminance([max(channel) for channel in zip(*papers, strict=True)])
    own = luminance(ink)
    if own < darkest:
        return (darkest + 0.05) / (own + 0.05)
    return (own + 0.05) / (lightest + 0.05) if own > lightest else 1.0


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """`one` with a share (0 to 1) of `other`."""
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(one, other, strict=True))
    return red, green, blue


def distance(one: Colour, other: Colour) -> float:
    """Euclidean distance, 0 to 442."""
    return float(sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5)
