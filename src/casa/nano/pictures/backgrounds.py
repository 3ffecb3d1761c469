"""Backgrounds: every pixel is a mixture of the given papers, so that contrast against all papers holds everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from casa.nano.pictures.colours import Colour

Background = Literal["plain", "gradient", "noise", "blobs"]
_COARSE = 4  # blobs are drawn at this fraction of the size


def draw_background(kind: Background, papers: Sequence[Colour], seed: int, width: int, height: int) -> Image.Image:
    """A background of `width` x `height` px, RGB.

    Args:
        kind: "plain" (the first paper), "gradient" (first to second along a random direction), "noise" (a random mixture
            of the two at each pixel) or "blobs" (soft spots of all papers on the first).
        papers: at least one for "plain", two for the others.
        seed: of what is random in it.
        width: px.
        height: px.
    """
    rng = np.random.default_rng(seed)
    if kind == "gradient":
        return _mixture(papers, _ramp(rng, width, height))
    if kind == "noise":
        return _mixture(papers, _grain(rng, width, height))
    image = Image.new("RGB", (width, height), papers[0])
    return _blobs(image, papers, rng) if kind == "blobs" else image


def _mixture(papers: Sequence[Colour], share: np.ndarray) -> Image.Image:
    """First and second paper mixed at each pixel by `share`, (height, width), 0 to 255."""
    mask = Image.fromarray(share.astype(np.uint8))
    return Image.composite(Image.new("RGB", mask.size, papers[1]), Image.new("RGB", mask.size, papers[0]), mask)


def _ramp(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    across = np.cos(angle) * np.arange(width, dtype=np.float32)
    down = np.sin(angle) * np.arange(height, dtype=np.float32)
    ramp = across[None, :] + down[:, None]
    return np.asarray((ramp - ramp.min()) * (255 / max(float(np.ptp(ramp)), 1e-6)))


def _grain(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Noise of two scales: single pixels and spots of 8 px."""
    spots = rng.integers(0, 256, (-(-height // 8), -(-width // 8)), dtype=np.uint8)
    smooth = Image.fromarray(spots).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(smooth) // 2 + rng.integers(0, 128, (height, width), dtype=np.uint8)


def _blobs(image: Image.Image, papers: Sequence[Colour], rng: np.random.Generator) -> Image.Image:
    width, height = -(-image.width // _COARSE), -(-image.height // _COARSE)
    small = Image.new("RGB", (width, height), papers[0])
    draw = ImageDraw.Draw(small)
    for _ in range(int(rng.integers(4, 12))):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        across, down = rng.uniform(0.05, 0.35, 2) * max(width, height) / 2
        draw.ellipse((x - across, y - down, x + across, y + down), fill=tuple(papers[int(rng.integers(len(papers)))]))
    soft = small.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 3))))
    return soft.resize(image.size, Image.Resampling.BILINEAR)
