"""Shapes are whole, apart from one another, and told from the background."""

import random
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casa.errors import CasaError
from casa.nano.pictures.colours import distance
from casa.nano.pictures.scenes import COLOURS, KINDS, Scene, Shape, draw_scene, sample_scene

some = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)
sizes = st.sampled_from([(112, 112), (224, 224), (336, 140)])


@some
@given(seeds, sizes)
def test_the_same_seed_gives_the_same_scene_and_picture(seed, size):
    one, two = (sample_scene(random.Random(seed), *size) for _ in range(2))
    assert one == two
    assert draw_scene(one).tobytes() == draw_scene(two).tobytes()
    assert draw_scene(one).size == size


@some
@given(seeds, sizes)
def test_shapes_are_inside_and_do_not_touch(seed, size):
    scene = sample_scene(random.Random(seed), *size)
    assert 1 <= len(scene.shapes) <= 6
    for shape in scene.shapes:
        assert shape.radius >= 10
        assert shape.radius <= shape.x <= size[0] - shape.radius
        assert shape.radius <= shape.y <= size[1] - shape.radius
    for one, two in combinations(scene.shapes, 2):
        assert np.hypot(one.x - two.x, one.y - two.y) > one.radius + two.radius


@some
@given(seeds)
def test_each_shape_has_its_shade_at_its_centre_which_the_background_has_nowhere(seed):
    scene = sample_scene(random.Random(seed), 224, 224)
    drawn = draw_scene(scene)
    bare = np.asarray(draw_scene(Scene(224, 224, scene.papers, scene.seed, ()))).reshape(-1, 3).astype(float)
    for shape in scene.shapes:
        assert drawn.getpixel((int(shape.x), int(shape.y))) == shape.shade
        assert distance(shape.shade, COLOURS[shape.colour]) < 20
        assert np.linalg.norm(bare - shape.shade, axis=1).min() > 60


@pytest.mark.parametrize("kind", KINDS)
def test_a_shape_fills_its_circle_and_does_not_leave_it(kind):
    shape = Shape(kind, "red", COLOURS["red"], 50.3, 61.7, 30)
    picture = np.asarray(draw_scene(Scene(112, 112, ((200, 200, 200),), 0, (shape,))))
    rows, columns = np.nonzero((picture != 200).any(axis=2))
    reach = np.hypot(columns + 0.5 - shape.x, rows + 0.5 - shape.y).max()
    assert 0.85 * shape.radius < reach < shape.radius + 1.5


def test_all_kinds_colours_and_counts_occur():
    rng = random.Random(0)
    scenes = [sample_scene(rng, 224, 224) for _ in range(200)]
    assert {shape.kind for scene in scenes for shape in scene.shapes} == set(KINDS)
    assert {shape.colour for scene in scenes for shape in scene.shapes} == set(COLOURS)
    assert {len(scene.shapes) for scene in scenes} == set(range(1, 7))
    assert {len(scene.papers) for scene in scenes} == {1, 2}


def test_colours_can_be_told_from_one_another():
    assert min(distance(one, two) for one, two in combinations(COLOURS.values(), 2)) > 80


def test_a_picture_too_small_for_the_shapes_is_refused():
    with pytest.raises(CasaError, match="too few"):
        sample_scene(random.Random(0), 56, 224)
