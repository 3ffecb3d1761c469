"""Words are cut as the language model cuts them, and put together again."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from casa.nano.common import common_pieces
from casa.nano.pictures.corpus import read_corpus
from casa.nano.pictures.fonts import PRINTABLE
from casa.nano.vision.vocabulary import (
    Vocabulary,
    class_embeddings,
    decode_characters,
    encode_characters,
    extended,
)


def test_every_word_of_the_corpus_is_in_the_vocabulary(vocabulary):
    assert all(vocabulary.pieces(word) is not None for word in read_corpus("train").words)
    assert 15_000 < len(vocabulary) < 20_000


def test_a_text_is_cut_as_the_language_model_cuts_it_after_a_space(vocabulary):
    for sentence in read_corpus("train").sentences[:200]:
        labels = [piece.label for word in sentence.split() for piece in vocabulary.pieces(word)]
        whole = vocabulary.tokenizer(" " + sentence, add_special_tokens=False).input_ids
        space = vocabulary.tokenizer(" ", add_special_tokens=False).input_ids
        assert [vocabulary.ids[label - 1] for label in labels] == [i for i in whole if [i] != space]


def assert_covered(vocabulary, word):
    pieces = vocabulary.pieces(word)
    assert pieces[0].start == 0 and pieces[-1].end == len(word)
    assert all(left.end == right.start for left, right in pairwise(pieces))
    assert vocabulary.decode(piece.label for piece in pieces) == word


@pytest.mark.parametrize("word", ["lamp", "bread.", "2024", "a", "What's", "PEOPLE"])
def test_pieces_cover_the_word_without_a_gap(vocabulary, word):
    assert_covered(vocabulary, word)


def test_common_words_can_be_said_whether_or_not_the_corpus_has_them(vocabulary):
    said = {word for sentence in read_corpus("train").sentences for word in sentence.split()}
    new = [word for word in vocabulary.one_piece_words[:5000] if word not in said]
    assert len(new) > 1000 and all(len(vocabulary.pieces(word)) == 1 for word in new)


@given(st.text(PRINTABLE, min_size=1, max_size=20))
@settings(max_examples=200, deadline=None)
def test_any_printable_word_is_made_of_known_pieces(vocabulary, word):
    assert_covered(vocabulary, word)


def test_a_word_of_unknown_pieces_is_made_of_the_fewest_known_ones(vocabulary):
    tokenizer = vocabulary.tokenizer
    ids = tokenizer.convert_tokens_to_ids(["Ġp", "l", "a", "n", "e", "t", "Ġpl", "an", "et"])
    few = Vocabulary(tokenizer, ids)
    assert [ids[piece.label - 1] for piece in few.pieces("planet")] == ids[-3:]


def test_a_word_that_no_known_pieces_make_up_is_told(vocabulary):
    assert Vocabulary(vocabulary.tokenizer, vocabulary.ids[:10]).pieces("lamp") is None


def test_an_extended_vocabulary_keeps_its_classes_and_lacks_no_common_piece(vocabulary):
    few = Vocabulary(vocabulary.tokenizer, vocabulary.ids[5:900:7])
    more = extended(few)
    assert more.ids[: len(few.ids)] == few.ids and len(set(more.ids)) == len(more.ids)
    assert set(common_pieces(vocabulary.tokenizer)) <= set(more.ids)
    assert extended(more).ids == more.ids


def test_class_embeddings_are_the_language_models_own_with_the_space_first(vocabulary, nano_folder):
    from safetensors.torch import load_file

    table = load_file(nano_folder / "model.safetensors")["thinker.model.embed_tokens.weight"]
    found = class_embeddings(vocabulary)
    assert found.shape == (len(vocabulary), 576)
    assert torch.equal(found[0], table[vocabulary.tokenizer(" ").input_ids[0]].float())
    assert torch.equal(found[7], table[vocabulary.ids[6]].float())


def test_characters_are_decoded_to_what_was_encoded():
    text = "".join(map(chr, range(32, 127)))
    labels = encode_characters(text)
    assert sorted(labels) == list(range(1, 96))
    assert decode_characters(labels) == text.strip()
