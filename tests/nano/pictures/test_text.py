"""Text is where its labels say, whole and inside the picture."""

import random
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casa.errors import CasaError
from casa.nano.pictures.fonts import PRINTABLE, load_font
from casa.nano.pictures.styles import CELL, sample_style, strip_style
from casa.nano.pictures.text import fit_text, render_strip, render_text

TEXT = "The quick brown fox jumps over a lazy dog; it does so twice, (why?) nobody knows."
seeds = st.integers(0, 2**32 - 1)
some = settings(max_examples=40, deadline=None)
texts = st.lists(st.text(st.sampled_from(PRINTABLE), min_size=1, max_size=8), max_size=40).map(" ".join)


@pytest.fixture(scope="module")
def plain(families):
    return replace(sample_style(random.Random(0), families, 0), size=22, pitch=28)


def style_of(families, seed, difficulty=1.0):
    return sample_style(random.Random(seed), families, difficulty)


def ink_of(rendered, style):
    """Where the picture differs from the bare background of the same style, (height, width)."""
    bare = render_text("", style, *rendered.image.size).image
    return (np.asarray(rendered.image) != np.asarray(bare)).any(axis=2)


def box_of(word, pad=0.0):
    """The word's box as slices of pixels."""
    left, top = (max(0, int(np.floor(edge - pad))) for edge in (word.left, word.top))
    return slice(top, int(np.ceil(word.bottom + pad))), slice(left, int(np.ceil(word.right + pad)))


@some
@given(seeds, st.floats(0, 1))
def test_the_same_seed_gives_the_same_picture(families, seed, difficulty):
    one, two = (render_text("Same again.", style_of(families, seed, difficulty), 364, 140) for _ in range(2))
    assert one.image.tobytes() == two.image.tobytes() and one.words == two.words
    assert one.image.mode == "RGB" and one.image.size == (364, 140)


@some
@given(seeds, texts)
def test_a_fitted_text_is_a_beginning_and_loses_no_word_when_drawn(families, seed, text):
    style = style_of(families, seed)
    fitted = fit_text(text, style, 336, 224)
    assert fitted.split() == text.split()[: len(fitted.split())]
    rendered = render_text(fitted, style, 336, 224)
    assert [word.text for word in rendered.words] == fitted.split()
    lines = [word.line for word in rendered.words]
    assert lines == sorted(lines)


@some
@given(seeds)
def test_words_are_inside_the_picture_and_have_a_centre_for_each_character(families, seed):
    style = style_of(families, seed)
    for word in render_text(fit_text(TEXT, style, 336, 224), style, 336, 224).words:
        assert 0 <= word.left < word.right <= 336 and 0 <= word.top < word.bottom <= 224
        assert len(word.centres) == len(word.text)
        xs = [x for x, _ in word.centres]
        assert xs == sorted(xs)
        assert all(word.left - style.size / 4 <= x <= word.right + style.size / 4 for x in xs)


@some
@given(seeds)
def test_ink_is_in_every_words_box_and_nowhere_else(families, seed):
    style = replace(style_of(families, seed), noise=0.0)
    rendered = render_text(fit_text(TEXT, style, 336, 224), style, 336, 224)
    ink = ink_of(rendered, style)
    for word in rendered.words:
        assert ink[box_of(word)].any(), word
    for word in rendered.words:
        ink[box_of(word, pad=2 + 3 * style.blur)] = False
    assert not ink.any()


def test_an_upright_words_box_is_that_of_its_ink_but_for_side_bearings(plain):
    for text in ("quick", "(Why?)", "|", "...", "@home_"):
        rendered = render_text(text, plain, 336, 56)
        rows, columns = np.nonzero(ink_of(rendered, plain))
        (word,) = rendered.words
        assert abs(rows.min() - word.top) <= 1 and abs(rows.max() + 1 - word.bottom) <= 1, text
        assert 0 <= columns.min() - word.left <= plain.size / 4, text
        assert 0 <= word.right - columns.max() - 1 <= plain.size / 4, text


def test_a_characters_centre_is_after_what_precedes_it_and_before_what_follows(plain):
    whole = render_text("migration", plain, 336, 56).words[0]
    ends = [render_text(whole.text[:i], plain, 336, 56).words[0].right for i in range(1, len(whole.text) + 1)]
    for (x, _), before, after in zip(whole.centres[1:], ends, ends[1:], strict=False):
        assert before - 1 <= x <= after + 1


def test_centres_are_at_half_the_height_of_a_small_x(plain):
    word = render_text("xxx", plain, 336, 56).words[0]
    assert all(y == pytest.approx((word.top + word.bottom) / 2, abs=1) for _, y in word.centres)


@some
@given(seeds)
def test_no_cell_holds_characters_of_two_lines(families, seed):
    style = style_of(families, seed)
    lines = defaultdict(set)
    for word in render_text(fit_text(TEXT, style, 336, 224), style, 336, 224).words:
        for x, y in word.centres:
            lines[x // CELL, y // CELL].add(word.line)
    assert all(len(found) == 1 for found in lines.values())


@pytest.mark.parametrize("rotation", [-4.0, 4.0])
def test_rotation_is_counter_clockwise(plain, rotation):
    style = replace(plain, rotation=rotation, pitch=30, place=(0.5, 0.5))
    words = render_text("one two three four", style, 336, 56 + 28).words
    rise = words[0].centres[0][1] - words[-1].centres[-1][1]
    assert rise * rotation > 0


def test_a_newline_starts_a_line_and_an_empty_one_leaves_a_gap(plain):
    words = render_text("one\ntwo\n\nthree", plain, 336, 168).words
    assert [(word.text, word.line) for word in words] == [("one", 0), ("two", 1), ("three", 3)]
    tops = [word.centres[0][1] for word in words]
    assert np.diff(tops).tolist() == [plain.pitch, 2 * plain.pitch]


def test_centred_lines_share_their_middle(plain):
    words = render_text("Illustration\nill", replace(plain, centred=True), 336, 84).words
    middles = [(word.left + word.right) / 2 for word in words]
    assert middles[0] == pytest.approx(middles[1], abs=2)


def test_one_to_many_lines_are_drawn(plain):
    for count in range(1, 9):
        words = render_text("\n".join(["line"] * count), plain, 140, 28 * count + 28).words
        assert [word.line for word in words] == list(range(count))


@pytest.mark.parametrize(
    ("text", "size"), [(TEXT * 3, (336, 112)), ("unbreakable" * 5, (336, 112)), ("\n".join("abcdef"), (336, 112))]
)
def test_a_text_that_does_not_fit_is_refused(plain, text, size):
    with pytest.raises(CasaError, match="px, and there are"):
        render_text(text, plain, *size)


@pytest.mark.parametrize("text", ["café", "a\tb", "“quoted”"])
def test_characters_that_fonts_may_lack_are_refused(plain, text):
    with pytest.raises(CasaError, match="printable ASCII"):
        render_text(text, plain, 336, 112)


@pytest.mark.parametrize("size", [(336, 100), (0, 28), (29, 28)])
def test_sides_that_are_no_multiples_of_a_cell_are_refused(plain, size):
    with pytest.raises(CasaError, match="multiples of 28"):
        render_text("text", plain, *size)


def test_an_empty_text_leaves_the_bare_background(plain):
    rendered = render_text("", plain, 56, 56)
    assert rendered.words == ()
    assert rendered.image.getcolors() == [(56 * 56, plain.papers[0])]


def test_an_empty_text_fits_where_no_line_would(plain):
    style = replace(plain, size=40, pitch=60)
    with pytest.raises(CasaError, match="px, and there are"):
        render_text("a", style, 336, 28)
    assert render_text(fit_text("a", style, 336, 28), style, 336, 28).words == ()


@some
@given(seeds, texts)
def test_a_strip_has_one_line_inside_it(families, seed, text):
    style = strip_style(style_of(families, seed))
    rendered = render_strip(fit_text(text, style, 336, CELL), style, 336)
    assert rendered.image.size == (336, CELL)
    assert all(word.line == 0 and 0 <= word.top < word.bottom <= CELL for word in rendered.words)


def test_a_strip_refuses_a_second_line(plain):
    with pytest.raises(CasaError, match="px, and there are"):
        render_strip("one\ntwo", strip_style(plain), 336)


def test_no_ink_is_lost_at_the_edges(families):
    """The same text with wide margins has as much ink as at the very edge."""
    for family in families:
        style = replace(sample_style(random.Random(2), families, 0), font=family.files[-1], size=40, pitch=60, margin=0)
        at_edge, inside = (
            ink_of(render_text("jfQ|fj", s, 336, 84), s).sum() for s in (style, replace(style, margin=12))
        )
        assert at_edge == inside, family.name


def test_fonts_are_drawn_without_ligatures(families):
    for family in families:
        font = load_font(family.files[0], 32)
        assert font.getlength("fi") == pytest.approx(font.getlength("f") + font.getlength("i"), abs=3)
