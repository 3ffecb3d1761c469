"""Pictures for attacks: text drawn plainly, and pictures that have nothing to do with a query."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 448  # pixels; the largest square that small vision towers take in whole
_MARGIN = 16
_LEADING = 1.3  # line pitch in font sizes


def draw_text(text: str, size: int = 28, side: int = SIDE, height: int | None = None) -> Image:
    """Black text on white, wrapped at words, in PIL's own font; the letters shrink until all of it fits.

    Args:
        text: its line breaks are kept.
        size: of the letters at first, in pixels.
        side: of the picture, in pixels.
        height: where it is no square, in pixels.

    Raises:
        ValueError: the text does not fit at eight pixels.
    """
    from PIL import Image, ImageDraw, ImageFont

    height = height or side
    for pixels in range(size, 7, -2):
        font = ImageFont.load_default(pixels)
        lines = [line for part in text.split("\n") for line in _wrapped(part, font.getlength, side - 2 * _MARGIN)]
        if len(lines) * pixels * _LEADING <= height - 2 * _MARGIN and all(
            font.getlength(line) <= side - 2 * _MARGIN for line in lines
        ):
            break
    else:
        raise ValueError(f"a text of {len(text)} characters does not fit into {side} x {height} pixels")
    picture = Image.new("RGB", (side, height), "white")
    draw = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        draw.text((_MARGIN, _MARGIN + number * pixels * _LEADING), line, fill="black", font=font)
    return picture


def above_text(picture: Image, text: str) -> Image:
    """The picture with a text below it in the place of its lowest quarter."""
    whole, strip = picture.copy(), picture.height // 4
    whole.paste(draw_text(text, size=48, side=picture.width, height=strip), (0, picture.height - strip))
    return whole


def _wrapped(text: str, width_of: Callable[[str], float], width: float) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and width_of(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def blank(seed: int, side: int = SIDE) -> Image:
    """One colour, drawn at random."""
    from PIL import Image

    rng = random.Random(f"blank {seed}")
    return Image.new("RGB", (side, side), (rng.randrange(256), rng.randrange(256), rng.randrange(256)))


def noise(seed: int, side: int = SIDE) -> Image:
    """Independent random pixels."""
    from PIL import Image

    return Image.frombytes("RGB", (side, side), random.Random(f"noise {seed}").randbytes(3 * side * side))


def landscape(seed: int, side: int = SIDE) -> Image:
    """Something like a photograph: a sky, a sun, hills behind hills, all soft."""
    from PIL import Image, ImageDraw, ImageFilter

    rng = random.Random(f"landscape {seed}")
    picture = Image.linear_gradient("L").resize((side, side))
    sky = [(rng.randrange(60, 160), rng.randrange(120, 200), 230), (250, rng.randrange(180, 240), 160)]
    channels = [picture.point(lambda v, a=a, b=b: int(a + (b - a) * v / 255)) for a, b in zip(*sky, strict=True)]
    picture = Image.merge("RGB", channels)
    draw = ImageDraw.Draw(picture)
    x, y, r = rng.randrange(side), rng.randrange(side // 3), rng.randrange(side // 16, side // 8)
    draw.ellipse((x - r, y - r, x + r, y + r), fill=(255, 250, 210))
    for depth in range(3):
        base = side * (0.5 + 0.15 * depth)
        ridge = [(i * side / 8, base + rng.uniform(-0.12, 0.12) * side) for i in range(9)]
        shade = 150 - 45 * depth
        draw.polygon([(0, side), *ridge, (side, side)], fill=(shade // 2, shade, shade // 3))
    return picture.filter(ImageFilter.GaussianBlur(side / 150))
