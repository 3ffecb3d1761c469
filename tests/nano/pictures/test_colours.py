"""Contrast is that of WCAG, against any mixture of the papers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casa.nano.pictures.colours import contrast, distance, mixed

BLACK, WHITE = (0, 0, 0), (255, 255, 255)
some = settings(max_examples=60, deadline=None)
colours = st.tuples(*[st.integers(0, 255)] * 3)


def test_black_on_white_has_the_greatest_contrast():
    assert contrast(BLACK, [WHITE]) == pytest.approx(21)
    assert contrast(WHITE, [BLACK]) == pytest.approx(21)
    assert contrast((118, 118, 118), [WHITE]) == pytest.approx(4.54, abs=0.01)


def test_ink_between_two_papers_has_none():
    assert contrast((128, 128, 128), [BLACK, WHITE]) == 1


@some
@given(colours, st.lists(colours, min_size=2, max_size=4), st.floats(0, 1))
def test_no_mixture_of_the_papers_has_less(ink, papers, share):
    mixture = mixed(papers[0], papers[1], share)
    assert contrast(ink, [mixture]) >= contrast(ink, papers) - 1e-9


def test_a_mixture_goes_from_one_colour_to_the_other():
    assert mixed(BLACK, WHITE, 0) == BLACK
    assert mixed(BLACK, WHITE, 1) == WHITE
    assert distance(BLACK, WHITE) == pytest.approx(441.67, abs=0.01)
