"""Transcripts become the language model's own pieces and come back unchanged."""

from string import ascii_lowercase

import pytest

from casa.errors import DataError
from casa.model.bases import load_processor
from casa.nano.audio.labels import BLANK, read_labels
from casa.nano.speech.corpus import read_corpus
from casa.nano.speech.spelling import transcript


@pytest.fixture(scope="module")
def tokenizer():
    return load_processor("casa-nano").tokenizer


@pytest.fixture(scope="module")
def labels(tokenizer):
    corpus = read_corpus("train", least=1)
    return read_labels(tokenizer, map(transcript, (*corpus.sentences, *corpus.carriers)))


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_every_sentence_of_the_corpus_comes_back(labels, split):
    corpus = read_corpus(split, least=1)
    for text in map(transcript, (*corpus.sentences, *corpus.carriers)):
        assert labels.decode(labels.encode(text)) == text


def test_classes_are_the_language_models_own_tokens_of_the_text(labels, tokenizer):
    text = "i don't know how a reforestation project works"
    known = read_labels(tokenizer, [text])
    tokens = [known.ids[label - 1] for label in known.encode(text)]
    assert tokens == tokenizer(f" {text}", add_special_tokens=False)["input_ids"]


def test_a_spelled_word_is_one_class_a_letter_and_comes_back(labels):
    classes = labels.encode("b o m b")
    assert len(classes) == 4
    assert BLANK not in classes
    assert labels.decode(classes) == "b o m b"
    assert all(len(labels.encode(letter)) == 1 for letter in ascii_lowercase)


def test_blanks_are_no_text(labels):
    first, second = labels.encode("how"), labels.encode("are")
    assert labels.decode([BLANK, *first, BLANK, BLANK, *second]) == "how are"


def test_a_word_outside_the_corpus_is_an_error_that_names_it(labels):
    with pytest.raises(DataError, match="'zyzzyva' in 'the zyzzyva'"):
        labels.encode("the zyzzyva")
