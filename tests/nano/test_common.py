"""Common words and pieces are the language model's own, commonest first."""

import pytest

from casa.nano.common import COMMON_PIECES, common_pieces, common_words, one_piece_words
from casa.nano.pictures.fonts import PRINTABLE
from casa.nano.vision.vocabulary import load_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer()


def test_common_pieces_hold_every_printable_character_at_the_beginning_of_a_word_and_in_it(tokenizer):
    texts = [tokenizer.decode([piece]) for piece in common_pieces(tokenizer)]
    assert set(PRINTABLE) <= set(texts)
    assert {f" {letter}" for letter in PRINTABLE if not letter.isdigit()} <= set(texts)


def test_common_pieces_have_ink_and_other_than_characters_are_common(tokenizer):
    found = common_pieces(tokenizer)
    texts = {piece: tokenizer.decode([piece]).strip() for piece in found}
    assert all(text and set(text) <= set(PRINTABLE) for text in texts.values())
    assert all(piece < COMMON_PIECES or len(texts[piece]) == 1 for piece in found)


def test_words_of_one_piece_are_that_after_a_space_and_come_commonest_first(tokenizer):
    words = one_piece_words(tokenizer)
    ids = list(tokenizer([f" {word}" for word in words[::97]], add_special_tokens=False).input_ids)
    assert all(len(one) == 1 for one in ids) and ids == sorted(ids)
    assert words.index("the") < words.index("planet") < words.index("sieve")


def test_common_words_are_lower_case_and_differ(tokenizer):
    words = common_words(tokenizer)
    assert len(set(words)) == len(words) > 7000
    assert all(word == word.lower() for word in words)
