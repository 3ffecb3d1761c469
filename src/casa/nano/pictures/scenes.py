"""Simple scenes of coloured shapes."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageDraw

from casa.errors import CasaError
from casa.nano.pictures.backgrounds import draw_background
from casa.nano.pictures.colours import Colour, distance, mixed

COLOURS: dict[str, Colour] = {
    "red": (215, 35, 40),
    "orange": (245, 135, 20),
    "yellow": (245, 225, 40),
    "green": (40, 155, 60),
    "blue": (40, 80, 220),
    "purple": (140, 45, 165),
    "black": (18, 18, 18),
    "white": (245, 245, 245),
}
KINDS = ("circle", "square", "triangle", "star", "cross", "heart")
MOST_SHAPES = 6
LEAST_DISTANCE = 80.0  # of a shape's colour from the background's
_SMALLEST_RADIUS = 12  # px
_SCALE = 3  # shapes are drawn this much larger and reduced, for smooth edges


@dataclass(frozen=True)
class Shape:
    """One shape.

    Attributes:
        kind: one of `KINDS`.
        colour: one of `COLOURS`.
        shade: the exact colour it is drawn in.
        x: its centre, px from the left.
        y: its centre, px from the top.
        radius: px; the shape lies inside this circle.
    """

    kind: str
    colour: str
    shade: Colour
    x: float
    y: float
    radius: float

    @property
    def name(self) -> str:
        """Colour and kind, as in "red circle"."""
        return f"{self.colour} {self.kind}"


@dataclass(frozen=True)
class Scene:
    """Shapes that do not touch, on a plain background (one paper) or a gradient (two).

    Attributes:
        width: px.
        height: px.
        papers: colours of the background.
        seed: of the gradient's direction.
        shapes: one to six.
    """

    width: int
    height: int
    papers: tuple[Colour, ...]
    seed: int
    shapes: tuple[Shape, ...]


def sample_scene(rng: random.Random, width: int, height: int) -> Scene:
    """A random scene of `width` x `height` px.

    Raises:
        CasaError: the picture is too small for six shapes.
    """
    if min(width, height) < 6 * (_SMALLEST_RADIUS + 2):
        raise CasaError(f"{width} x {height} px are too few for {MOST_SHAPES} shapes")
    count = rng.randint(1, MOST_SHAPES)
    # few colours and kinds now and then, so that there is something to count
    colours = rng.sample(sorted(COLOURS), rng.choice((1, 2, 8)))
    kinds = rng.sample(KINDS, rng.choice((1, 2, 6)))
    shapes = []
    for x, y, radius in _places(rng, count, width, height):
        colour = rng.choice(colours)
        shapes.append(Shape(rng.choice(kinds), colour, _shade(rng, COLOURS[colour]), x, y, radius))
    return Scene(width, height, _papers(rng, shapes), rng.getrandbits(32), tuple(shapes))


def draw_scene(scene: Scene) -> Image.Image:
    """The scene as a picture, RGB."""
    kind = "plain" if len(scene.papers) == 1 else "gradient"
    image = draw_background(kind, scene.papers, scene.seed, scene.width, scene.height)  # type: ignore[arg-type]
    for shape in scene.shapes:
        left, top = math.floor(shape.x - shape.radius) - 1, math.floor(shape.y - shape.radius) - 1
        side = 2 * math.ceil(shape.radius) + 4
        mask = Image.new("L", (side * _SCALE, side * _SCALE))
        points = [
            ((shape.x - left + shape.radius * x) * _SCALE, (shape.y - top + shape.radius * y) * _SCALE)
            for x, y in _outline(shape.kind)
        ]
        ImageDraw.Draw(mask).polygon(points, fill=255)
        image.paste(shape.shade, (left, top), mask.reduce(_SCALE))
    return image


@cache
def _outline(kind: str) -> tuple[tuple[float, float], ...]:
    """Corners of a shape inside the unit circle, y pointing down."""
    if kind == "square":
        return _polar([1] * 4, -45)
    if kind == "triangle":
        return _polar([1] * 3, -90)
    if kind == "star":
        return _polar([1, 0.42] * 5, -90)
    if kind == "cross":
        a, b = 0.94, 0.31
        return (
            (-b, -a),
            (b, -a),
            (b, -b),
            (a, -b),
            (a, b),
            (b, b),
            (b, a),
            (-b, a),
            (-b, b),
            (-a, b),
            (-a, -b),
            (-b, -b),
        )
    if kind == "heart":
        angles = [math.tau * i / 48 for i in range(48)]
        return tuple(
            (
                0.9 * math.sin(t) ** 3,
                -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)) / 18 - 0.08,
            )
            for t in angles
        )
    return _polar([1] * 48, 0)


def _polar(radii: list[float], start: float) -> tuple[tuple[float, float], ...]:
    """Corners at even angles, the first at `start` degrees."""
    angles = [math.radians(start) + math.tau * i / len(radii) for i in range(len(radii))]
    return tuple((r * math.cos(a), r * math.sin(a)) for r, a in zip(radii, angles, strict=True))


def _places(rng: random.Random, count: int, width: int, height: int) -> list[tuple[float, float, float]]:
    """Centres and radii (px) in different cells of a grid, so that no two shapes touch."""
    side = rng.choice([n for n in (1, 2, 3) if n * n >= count])
    across, down = width / side, height / side
    places = []
    for cell in rng.sample(range(side * side), count):
        largest = min(across, down) / 2 - 2
        radius = rng.uniform(max(_SMALLEST_RADIUS, 0.3 * largest), min(largest, min(width, height) / 4))
        free_x, free_y = across / 2 - radius - 2, down / 2 - radius - 2
        x = (cell % side + 0.5) * across + rng.uniform(-free_x, free_x)
        y = (cell // side + 0.5) * down + rng.uniform(-free_y, free_y)
        places.append((x, y, radius))
    return places


def _shade(rng: random.Random, colour: Colour) -> Colour:
    red, green, blue = (min(255, max(0, value + rng.randint(-10, 10))) for value in colour)
    return red, green, blue


def _papers(rng: random.Random, shapes: list[Shape]) -> tuple[Colour, ...]:
    """One greyish colour or two; no shape has nearly one of them or a colour between."""
    two = rng.random() < 0.5
    while True:
        first, last = _greyish(rng), _greyish(rng)
        between = [mixed(first, last, i / 8) for i in range(9)] if two else [first]
        if all(distance(colour, shape.shade) >= LEAST_DISTANCE for colour in between for shape in shapes):
            return (first, last) if two else (first,)


def _greyish(rng: random.Random) -> Colour:
    grey = rng.randint(40, 225)
    return grey + rng.randint(-25, 25), grey + rng.randint(-25, 25), grey + rng.randint(-25, 25)
