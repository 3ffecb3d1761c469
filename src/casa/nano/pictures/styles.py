"""How a text looks, drawn at random: from dark on light and horizontal to everything at once."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from casa.errors import CasaError
from casa.nano.pictures.backgrounds import Background
from casa.nano.pictures.colours import Colour, contrast, mixed
from casa.nano.pictures.fonts import Family, metrics

CELL = 28  # px a side of what becomes one visual token
SMALLEST, LARGEST = 16, 48
STEEPEST = 4.0
LEAST_CONTRAST = 3.0


@dataclass(frozen=True)
class Style:
    """The looks of a text.

    Attributes:
        font: font file.
        size: of the font, 16 to 48 px.
        ink: colour of the text.
        papers: colours of the background: one if it is plain, else two or more.
        background: "plain", "gradient", "noise" or "blobs".
        rotation: counter-clockwise, -4 to 4 degrees.
        blur: radius of a Gaussian blur over the finished picture, px.
        noise: standard deviation of grey noise over the finished picture, 0 to 255.
        pitch: from line to line, px; at least `least_pitch`, so that no two lines meet in a cell.
        margin: free px at each side.
        place: where in the free space the text stands, (0, 0) for top left to (1, 1) for bottom right.
        centred: whether lines are centred under each other.
        seed: of background and noise.

    Raises:
        CasaError: a value is out of range, or ink and paper are too much alike.
    """

    font: Path
    size: int
    ink: Colour
    papers: tuple[Colour, ...]
    background: Background
    rotation: float
    blur: float
    noise: float
    pitch: int
    margin: int
    place: tuple[float, float]
    centred: bool
    seed: int

    def __post_init__(self) -> None:
        wrong = [
            text
            for text, holds in {
                f"size {self.size} px, not {SMALLEST} to {LARGEST}": SMALLEST <= self.size <= LARGEST,
                f"rotation {self.rotation}, not within {STEEPEST} degrees": abs(self.rotation) <= STEEPEST,
                f"unknown background {self.background!r}": self.background in get_args(Background),
                f"{len(self.papers)} papers": len(self.papers) >= (1 if self.background == "plain" else 2),
                "negative blur, noise or margin": min(self.blur, self.noise, self.margin) >= 0,
                "a place outside 0 to 1": all(0 <= p <= 1 for p in self.place),
            }.items()
            if not holds
        ]
        if not wrong and self.pitch < (least := least_pitch(self.size, self.rotation)):
            wrong.append(f"pitch {self.pitch} px, less than {least}")
        if not wrong and contrast(self.ink, self.papers) < LEAST_CONTRAST:
            wrong.append(f"contrast of ink and paper below {LEAST_CONTRAST}")
        if wrong:
            raise CasaError(f"a style cannot have: {'; '.join(wrong)}")


def least_pitch(size: int, rotation: float) -> int:
    """Least px from line to line at which lines do not touch, and two characters in one column are a cell apart."""
    turned = math.radians(abs(rotation))
    return math.ceil(max(CELL * (math.cos(turned) + math.sin(turned)), 1.2 * size))


def sample_style(rng: random.Random, fonts: Sequence[Family], difficulty: float) -> Style:
    """A random style.

    Args:
        rng: all that is random comes from it.
        fonts: families; each is as likely, whatever its number of files.
        difficulty: 0 for 20 to 28 px, dark on light, horizontal, sharp, top left; 1 for everything; between, each trait
            is rarer and weaker.
    """

    def maybe(probability: float) -> bool:
        return rng.random() < probability * difficulty

    lowest, highest = 20 - (20 - SMALLEST) * difficulty, 28 + (LARGEST - 28) * difficulty
    size = round(math.exp(rng.uniform(math.log(lowest), math.log(highest))))
    background: Background = rng.choice(get_args(Background)[1:]) if maybe(0.75) else "plain"
    ink, papers = sample_colours(rng, difficulty, {"plain": 1, "blobs": 4}.get(background, 2))
    rotation = rng.uniform(-STEEPEST, STEEPEST) * difficulty if maybe(0.6) else 0.0
    return Style(
        font=rng.choice(rng.choice(fonts).files),
        size=size,
        ink=ink,
        papers=papers,
        background=background,
        rotation=rotation,
        blur=rng.uniform(0, min(0.8, size / 32)) if maybe(0.5) else 0.0,
        noise=rng.uniform(0, 12) if maybe(0.5) else 0.0,
        pitch=math.ceil(least_pitch(size, rotation) * (1 + rng.uniform(0, 0.4) * difficulty)),
        margin=round(4 + rng.uniform(-2, 10) * difficulty),
        place=(rng.random() * difficulty, rng.random() * difficulty),
        centred=maybe(0.3),
        seed=rng.getrandbits(32),
    )


def strip_style(style: Style) -> Style:
    """The style as it can be on a strip of one cell's height: upright, centred in height, as large as fits."""
    sizes = range(min(style.size, CELL - 2), SMALLEST - 1, -1)
    size = next((s for s in sizes if sum(metrics(style.font, s)[:2]) <= CELL - 2), SMALLEST)
    pitch = least_pitch(size, 0)
    return replace(style, size=size, rotation=0.0, margin=1, pitch=pitch, place=(style.place[0], 0.5))


def sample_colours(rng: random.Random, difficulty: float, papers: int) -> tuple[Colour, tuple[Colour, ...]]:
    """Ink and so many papers with at least `LEAST_CONTRAST`; near-black on near-white at difficulty 0."""
    if rng.random() < difficulty:
        ink, paper = _colour(rng), _colour(rng)
        while contrast(ink, [paper]) < LEAST_CONTRAST + 0.5:
            ink, paper = _colour(rng), _colour(rng)
    else:
        dark, light = rng.randrange(60), rng.randrange(225, 256)
        ink, paper = (dark, dark, dark), (light, light, light)
    if rng.random() < 0.3 * difficulty:
        ink, paper = paper, ink
    found = [paper]
    while len(found) < papers:
        other, share = _colour(rng), 1.0
        while contrast(ink, [*found, mixed(paper, other, share)]) < LEAST_CONTRAST:
            share *= 0.8
        found.append(mixed(paper, other, share))
    return ink, tuple(found)


def _colour(rng: random.Random) -> Colour:
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)
