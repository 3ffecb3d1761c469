"""Draws text into a picture and says where every word and character went."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from casa.errors import CasaError
from casa.nano.pictures.backgrounds import draw_background
from casa.nano.pictures.fonts import PRINTABLE, load_font, metrics
from casa.nano.pictures.styles import CELL, Style

_ALLOWED = frozenset(PRINTABLE + " \n")


@dataclass(frozen=True)
class Word:
    """Where one word is, in px from the picture's top left corner, after rotation.

    Attributes:
        text: the word.
        line: its line, from 0.
        left: of the box that holds its ink and its characters' advances.
        top: of that box.
        right: of that box.
        bottom: of that box.
        centres: (x, y) of each character: the middle of its advance, at half the height of a small x.
    """

    text: str
    line: int
    left: float
    top: float
    right: float
    bottom: float
    centres: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class RenderedText:
    """A picture of text (RGB) and its words in reading order."""

    image: Image.Image
    words: tuple[Word, ...]


class _Measure(NamedTuple):
    """A word's advance, and the box of its ink and advance from the pen's start on the baseline, px."""

    advance: float
    left: int
    top: int
    right: int
    bottom: int


@lru_cache(maxsize=1 << 14)
def _measure(file: Path, size: int, word: str) -> _Measure:
    font = load_font(file, size)
    left, top, right, bottom = map(int, font.getbbox(word, anchor="ls"))
    return _Measure(font.getlength(word), left, top, right, bottom)


class _Layout:
    """Text in lines, before it has a place in the picture."""

    def __init__(self, text: str, style: Style, width: int, height: int) -> None:
        if not set(text) <= _ALLOWED:
            raise CasaError(f"only printable ASCII can be drawn, not {''.join(sorted(set(text) - _ALLOWED))!r}")
        if width < CELL or height < CELL or width % CELL or height % CELL:
            raise CasaError(f"a picture's sides must be multiples of {CELL} px, not {width} x {height}")
        self.style = style
        self.room = (width - 2 * style.margin, height - 2 * style.margin)
        self.font: ImageFont.FreeTypeFont = load_font(style.font, style.size)
        self.metrics = metrics(style.font, style.size)
        self.cosine, self.sine = math.cos(math.radians(style.rotation)), abs(math.sin(math.radians(style.rotation)))
        self.paragraphs = [paragraph.split() for paragraph in text.strip().split("\n")]

    def measure(self, word: str) -> _Measure:
        return _measure(self.style.font, self.style.size, word)

    def starts(self, line: list[str]) -> list[float]:
        """Where the pen starts each word, px from the left end of the line's ink."""
        pen = -min(0.0, self.measure(line[0]).left) if line else 0.0
        starts = []
        for word in line:
            starts.append(pen)
            pen += self.measure(word).advance + self.metrics.advances[" "]
        return starts

    def width(self, line: list[str]) -> int:
        """From the left to the right end of a line's ink, px."""
        return math.ceil(
            max((x + self.measure(w).right for x, w in zip(self.starts(line), line, strict=True)), default=0)
        )

    def height(self, lines: int) -> int:
        """From the top to the bottom of so many lines, px."""
        return self.metrics.up + self.metrics.down + (lines - 1) * self.style.pitch

    def widest(self, lines: int) -> float:
        """How wide so many lines may be so that the room still holds them when rotated, px."""
        return (self.room[0] - self.height(lines) * self.sine) / self.cosine

    def most_lines(self) -> int:
        """How many lines of the room's full width have place in its height when rotated."""
        free = (self.room[1] - self.room[0] * self.sine) / self.cosine - self.height(1)
        return 1 + math.floor(free / self.style.pitch)

    def wrap(self, width: float) -> list[list[str]]:
        """Lines no wider than `width` px, except for words that are wider alone."""
        lines = []
        for paragraph in self.paragraphs:
            line: list[str] = []
            for word in paragraph:
                if line and self.width([*line, word]) > width:
                    lines.append(line)
                    line = []
                line.append(word)
            lines.append(line)
        return lines

    def lines(self) -> list[list[str]]:
        """The lines for which the room is wide enough: the more lines, the narrower they must be when rotated."""
        count = 1
        while len(lines := self.wrap(self.widest(count))) > count:
            count = len(lines)
        return lines


def render_text(text: str, style: Style, width: int, height: int) -> RenderedText:
    """Draws a text, its lines broken at the width and at each newline.

    Args:
        text: printable ASCII; an empty one leaves the bare background.
        style: its looks; the same style, text and size give the same picture.
        width: px, a multiple of 28.
        height: px, a multiple of 28.

    Raises:
        CasaError: the text does not fit, or holds other characters, or a side is no multiple of 28.
    """
    layout = _Layout(text, style, width, height)
    lines = layout.lines()
    across, down = max(map(layout.width, lines)), layout.height(len(lines))
    turned = across * layout.cosine + down * layout.sine, down * layout.cosine + across * layout.sine
    if any(lines) and (turned[0] > layout.room[0] or turned[1] > layout.room[1]):
        raise CasaError(
            f"{sum(map(len, lines))} words at {style.size} px need {turned[0]:.0f} x {turned[1]:.0f} px, and there are "
            f"{layout.room[0]} x {layout.room[1]}"
        )
    left, top = (
        int(style.margin + place * (room - size) + (size - straight) / 2)
        for place, room, size, straight in zip(style.place, layout.room, turned, (across, down), strict=True)
    )
    centre = (left + across / 2, top + down / 2)
    mask = Image.new("L", (width, height))
    words = tuple(_draw(ImageDraw.Draw(mask), layout, lines, (left, top), centre, across))
    if style.rotation:
        mask = mask.rotate(style.rotation, Image.Resampling.BICUBIC, center=centre)
    image = draw_background(style.background, style.papers, style.seed, width, height)
    image.paste(style.ink, mask=mask)
    return RenderedText(_worn(image, style), words)


def render_strip(text: str, style: Style, width: int) -> RenderedText:
    """Draws a text on one line, 28 px high; `strip_style` makes a style that fits.

    Raises:
        CasaError: the text does not fit on the line, or the width is no multiple of 28.
    """
    return render_text(text, style, width, CELL)


def fit_text(text: str, style: Style, width: int, height: int) -> str:
    """The longest beginning of the text, in whole words, that surely fits; its lines are parted by newlines.

    Raises:
        CasaError: as for `render_text`, except that a text that does not fit is cut, down to nothing.
    """
    layout = _Layout(text, style, width, height)
    count = max(0, layout.most_lines())
    widest = layout.widest(count)
    fitting = []
    for line in layout.wrap(widest)[:count]:
        if layout.width(line) > widest:
            break
        fitting.append(" ".join(line))
    return "\n".join(fitting).rstrip()


def _draw(
    draw: ImageDraw.ImageDraw,
    layout: _Layout,
    lines: list[list[str]],
    corner: tuple[int, int],
    centre: tuple[float, float],
    across: int,
) -> Iterator[Word]:
    """Draws the lines upright from the corner, and yields the words as they will be when rotated round the centre."""
    style, font = layout.style, layout.font
    for number, line in enumerate(lines):
        indent = (across - layout.width(line)) // 2 if style.centred else 0
        baseline = corner[1] + layout.metrics.up + number * style.pitch
        middle = baseline - layout.metrics.x_height / 2
        for start, word in zip(layout.starts(line), line, strict=True):
            x = round(corner[0] + indent + start)
            draw.text((x, baseline), word, fill=255, font=font, anchor="ls")
            advance, left, top, right, bottom = layout.measure(word)
            box = [(x + dx, baseline + dy) for dx in (left, right) for dy in (top, bottom)]
            ends = list(accumulate((layout.metrics.advances[character] for character in word), initial=0.0))
            kerned = advance / ends[-1]
            centres = [(x + kerned * (a + b) / 2, middle) for a, b in pairwise(ends)]
            xs, ys = zip(*_rotated(box, centre, style.rotation), strict=True)
            placed = tuple(_rotated(centres, centre, style.rotation))
            yield Word(word, number, min(xs), min(ys), max(xs), max(ys), placed)


def _rotated(
    points: Sequence[tuple[float, float]], centre: tuple[float, float], degrees: float
) -> list[tuple[float, float]]:
    """The points turned counter-clockwise (y points down) round the centre."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x0, y0 = centre
    return [(x0 + (x - x0) * cosine + (y - y0) * sine, y0 - (x - x0) * sine + (y - y0) * cosine) for x, y in points]


def _worn(image: Image.Image, style: Style) -> Image.Image:
    """The picture with the style's blur and noise."""
    if style.blur:
        image = image.filter(ImageFilter.GaussianBlur(style.blur))
    if style.noise:
        grey = np.random.default_rng(style.seed).standard_normal((image.height, image.width, 1), dtype=np.float32)
        noisy = np.asarray(image) + style.noise * grey
        image = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    return image
