"""Styles are readable by construction, and difficulty 0 is plain."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casa.errors import CasaError
from casa.nano.pictures.colours import contrast, luminance
from casa.nano.pictures.fonts import PRINTABLE, load_font
from casa.nano.pictures.styles import CELL, LEAST_CONTRAST, least_pitch, sample_style, strip_style

some = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def plain(families):
    return sample_style(random.Random(0), families, 0)


@some
@given(seeds, st.floats(0, 1))
def test_the_same_seed_gives_the_same_style(families, seed, difficulty):
    one, two = (sample_style(random.Random(seed), families, difficulty) for _ in range(2))
    assert one == two


@some
@given(seeds, st.floats(0, 1))
def test_ink_stands_out_and_lines_stay_apart(families, seed, difficulty):
    style = sample_style(random.Random(seed), families, difficulty)
    assert contrast(style.ink, style.papers) >= LEAST_CONTRAST
    assert style.pitch >= max(CELL, style.size)


@some
@given(seeds)
def test_difficulty_0_is_plain(families, seed):
    style = sample_style(random.Random(seed), families, 0)
    assert 20 <= style.size <= 28
    assert (style.background, len(style.papers)) == ("plain", 1)
    assert style.rotation == style.blur == style.noise == 0
    assert luminance(style.ink) < 0.05 and luminance(style.papers[0]) > 0.7
    assert len(set(style.ink)) == len(set(style.papers[0])) == 1
    assert style.place == (0, 0) and not style.centred


def test_difficulty_1_has_everything(families):
    rng = random.Random(1)
    styles = [sample_style(rng, families, 1) for _ in range(400)]
    assert {style.background for style in styles} == {"plain", "gradient", "noise", "blobs"}
    assert min(style.size for style in styles) <= 17 and max(style.size for style in styles) >= 46
    assert min(style.rotation for style in styles) < -3 and max(style.rotation for style in styles) > 3
    assert any(style.blur for style in styles) and any(style.noise for style in styles)
    assert any(luminance(style.ink) > luminance(style.papers[0]) for style in styles)
    assert len({style.font for style in styles}) > len(families) / 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 15}, "size 15"),
        ({"rotation": 4.1}, "rotation 4.1"),
        ({"pitch": 27}, "pitch 27"),
        ({"margin": -1}, "negative"),
        ({"place": (0, 1.1)}, "place"),
        ({"background": "stripes"}, "stripes"),
        ({"background": "gradient"}, "1 papers"),
        ({"ink": (150, 150, 150), "papers": ((200, 200, 200),)}, "contrast"),
    ],
)
def test_a_style_out_of_range_is_refused(plain, change, message):
    with pytest.raises(CasaError, match=message):
        replace(plain, **change)


def test_rotated_lines_need_a_greater_pitch():
    assert least_pitch(20, 0) == CELL
    assert least_pitch(20, -4) == 30
    assert least_pitch(48, 0) == 58


@some
@given(seeds, st.floats(0, 1))
def test_a_strips_style_fits_on_a_strip(families, seed, difficulty):
    style = strip_style(sample_style(random.Random(seed), families, difficulty))
    _, top, _, bottom = load_font(style.font, style.size).getbbox(PRINTABLE, anchor="ls")
    assert bottom - top <= CELL - 2 * style.margin
    assert style.rotation == 0
