"""Backgrounds are mixtures of their papers."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casa.nano.pictures.backgrounds import Background, draw_background

some = settings(max_examples=60, deadline=None)
colours = st.tuples(*[st.integers(0, 255)] * 3)
kinds = st.sampled_from(get_args(Background))


@some
@given(kinds, st.lists(colours, min_size=2, max_size=4), st.integers(0, 2**32 - 1))
def test_no_pixel_leaves_the_range_of_the_papers(kind, papers, seed):
    pixels = np.asarray(draw_background(kind, papers, seed, 84, 56))
    assert pixels.shape == (56, 84, 3)
    assert (pixels >= np.min(papers, axis=0)).all() and (pixels <= np.max(papers, axis=0)).all()


@some
@given(kinds, st.integers(0, 2**32 - 1))
def test_the_same_seed_gives_the_same_background(kind, seed):
    papers = [(250, 240, 230), (200, 210, 220)]
    one, two = (draw_background(kind, papers, seed, 56, 56).tobytes() for _ in range(2))
    assert one == two


@pytest.mark.parametrize("kind", ["gradient", "noise", "blobs"])
def test_backgrounds_other_than_plain_vary(kind):
    papers = [(250, 240, 230), (20, 30, 40)]
    assert np.asarray(draw_background(kind, papers, 1, 112, 112)).std(axis=(0, 1)).min() > 5
    assert draw_background(kind, papers, 1, 112, 112).tobytes() != draw_background(kind, papers, 2, 112, 112).tobytes()


def test_a_plain_background_is_its_first_paper():
    assert draw_background("plain", [(1, 2, 3)], 0, 28, 28).getcolors() == [(28 * 28, (1, 2, 3))]
