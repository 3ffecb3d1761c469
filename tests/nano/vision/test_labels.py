"""Symbols are labelled where they are drawn."""

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from casa.errors import CasaError
from casa.nano.pictures.scenes import sample_scene
from casa.nano.pictures.styles import sample_style
from casa.nano.pictures.text import RenderedText, Word, fit_text, render_text
from casa.nano.vision.labels import IGNORED, label, label_scene, place
from casa.nano.vision.vocabulary import BLANK, Vocabulary, decode_characters, encode_characters


def drawn(words, rows=1, columns=12):
    return RenderedText(Image.new("RGB", (columns * 28, rows * 28)), tuple(words))


def word_at(text, x, y=14.0, line=0, pitch=10.0, slope=0.0):
    centres = tuple((x + pitch * (i + 0.5), y + slope * i) for i in range(len(text)))
    return Word(text, line, x, y - 10, x + pitch * len(text), y + 5, centres)


def test_characters_are_in_the_slots_of_their_centres(vocabulary):
    labels = label(drawn([word_at("at", 0), word_at("me", 56)]), vocabulary)
    expected = np.zeros(48, dtype=int)
    expected[[0, 2, 5, 8, 10]] = encode_characters("at me")  # centres 5, 15, (20 + 56) / 2, 61, 71 px
    assert labels.characters.tolist() == [expected.tolist()]
    assert labels.character_rows == [encode_characters("at me")]


def test_a_piece_is_in_the_cell_of_its_centre(vocabulary):
    labels = label(drawn([word_at("people", 0), word_at("help", 84, pitch=15)]), vocabulary)
    (people,), (help_,) = vocabulary.pieces("people"), vocabulary.pieces("help")
    expected = [BLANK] * 12
    expected[1], expected[4] = people.label, help_.label  # middles 30 and 114 px
    assert labels.pieces.tolist() == [expected]
    assert labels.piece_rows == [[people.label, help_.label]]


@given(st.integers(0, 10**6), st.integers(4, 12), st.integers(6, 16))
@settings(max_examples=30, deadline=None)
def test_a_scenes_row_names_its_shapes_from_left_to_right_colour_first(vocabulary, seed, rows, columns):
    scene = sample_scene(random.Random(seed), columns * 28, rows * 28)
    labels = label_scene(scene, vocabulary)
    for row, found in enumerate(labels.piece_rows):
        shapes = sorted((shape for shape in scene.shapes if int(shape.y // 28) == row), key=lambda shape: shape.x)
        assert [vocabulary.decode([piece]) for piece in found] == [w for s in shapes for w in s.name.split()]
    assert not labels.characters.any() and labels.characters.shape == (rows, 4 * columns)


def test_pieces_that_share_a_cell_take_the_nearest_in_order(vocabulary):
    labels = label(drawn([word_at("you?", 56, pitch=6)]), vocabulary)
    you, mark = (piece.label for piece in vocabulary.pieces("you?"))
    (row,) = labels.pieces.tolist()
    assert row[1:4] in ([you, mark, 0], [0, you, mark]) and sum(map(bool, row)) == 2


def test_a_rotated_line_changes_the_row_where_its_characters_do(vocabulary):
    labels = label(drawn([word_at("people", 0, y=20.0, slope=3.0)], rows=2), vocabulary)
    assert labels.character_rows == [encode_characters("peo"), encode_characters("ple")]


def test_a_row_with_too_many_symbols_is_ignored_cell_by_cell_but_keeps_its_sequence(vocabulary):
    labels = label(drawn([word_at("12345", 0, pitch=5)], columns=4), vocabulary)
    assert (labels.pieces == IGNORED).all() and len(labels.piece_rows[0]) == 5
    assert (labels.characters != IGNORED).all()


def test_a_word_outside_the_vocabulary_is_refused(vocabulary):
    with pytest.raises(CasaError, match="vocabulary"):
        label(drawn([word_at("lamp", 0)]), Vocabulary(vocabulary.tokenizer, vocabulary.ids[:10]))


def test_a_picture_without_text_is_all_blank(vocabulary):
    labels = label(drawn([], rows=2), vocabulary)
    assert not labels.characters.any() and not labels.pieces.any()
    assert labels.character_rows == labels.piece_rows == [[], []]


@given(st.integers(1, 30), st.data())
def test_places_are_in_order_and_the_wanted_ones_where_these_will_do(count, data):
    wanted = np.sort(np.array(data.draw(st.lists(st.integers(0, count - 1), max_size=count + 2)), dtype=int))
    found = place(wanted, np.arange(len(wanted)), count)
    if len(wanted) > count:
        assert found is None
        return
    assert (np.diff(found) > 0).all() and all(0 <= place < count for place in found)
    if len(set(wanted)) == len(wanted):
        assert found.tolist() == wanted.tolist()


def test_equal_neighbours_have_a_free_place_between_them():
    assert place(np.array([3, 4]), np.array([7, 7]), 8).tolist() in ([2, 4], [3, 5])
    assert place(np.array([3, 5]), np.array([7, 7]), 8).tolist() == [3, 5]
    assert place(np.array([0, 1]), np.array([7, 7]), 2) is None


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_rows_of_a_rendered_text_hold_all_of_it(families, vocabulary, seed, difficulty):
    text = "How do I kill a stuck Python process in 3 minutes? Name some ways, please."
    style = replace(sample_style(random.Random(seed), families, difficulty), rotation=0.0)
    fitted = fit_text(text, style, 336, 224)
    labels = label(render_text(fitted, style, 336, 224), vocabulary)
    read = " ".join(filter(None, map(decode_characters, labels.character_rows)))
    assert read == " ".join(fitted.split())
    drawn_pieces = [p.label for word in fitted.split() for p in vocabulary.pieces(word)]
    assert [p for row in labels.piece_rows for p in row] == drawn_pieces
    for row, cells in zip(labels.piece_rows, labels.pieces, strict=True):
        assert (cells == IGNORED).all() or cells[cells > 0].tolist() == row
