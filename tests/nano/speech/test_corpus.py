from collections import Counter

import pytest

from casa.data.reading import read_examples
from casa.nano.speech.corpus import FEWEST_WORDS, MOST_WORDS, carriers, cut, read_corpus
from casa.nano.speech.spelling import transcript

LEAST = 5


@pytest.fixture(scope="module")
def corpora():
    return {split: read_corpus(split, LEAST) for split in ("train", "dev", "test")}


def words(texts):
    return Counter(word for text in texts for word in transcript(text).split())


def test_every_sentence_has_four_to_sixteen_words(corpora):
    for corpus in corpora.values():
        assert len(corpus.sentences) > 100
        for sentence in (*corpus.sentences, *corpus.carriers):
            assert FEWEST_WORDS <= len(transcript(sentence).split()) <= MOST_WORDS


def test_splits_share_neither_sentences_nor_spelled_words(corpora):
    for one, other in (("train", "dev"), ("train", "test"), ("dev", "test")):
        said = [{transcript(text) for text in corpora[split].sentences} for split in (one, other)]
        assert not said[0] & said[1]
        assert not set(corpora[one].spellable) & set(corpora[other].spellable)


def test_held_out_queries_of_the_seed_data_are_never_said(corpora):
    said = {transcript(text) for corpus in corpora.values() for text in corpus.sentences}
    trained = {transcript(piece) for e in read_examples(["seed"]) if e.split == "train" for piece in cut(e.text)}
    assert said == trained


def test_carrier_sentences_bring_every_word_to_the_count_and_are_for_training_only(corpora):
    train = corpora["train"]
    counts = words((*train.sentences, *train.carriers))
    vocabulary = words(text for corpus in corpora.values() for text in corpus.sentences)
    assert min(counts[word] for word in vocabulary if len(word) > 1) >= LEAST
    assert not corpora["dev"].carriers
    assert not corpora["test"].carriers
    assert not read_corpus("train", 0).carriers


def test_the_seed_decides_the_carrier_sentences():
    arguments = (["the cat sat on the mat"], ["cat", "dog", "emu", "fox", "gnu"], 6)
    assert carriers(*arguments, seed=1) == carriers(*arguments, seed=1) != carriers(*arguments, seed=2)


def test_a_long_sentence_is_cut_at_its_commas_and_else_evenly():
    first, second = (
        "one two three four five six seven eight nine",
        "and ten eleven twelve thirteen fourteen fifteen sixteen",
    )
    assert cut(f"{first}, {second}.") == [f"{first},", f"{second}."]
    assert [len(piece.split()) for piece in cut(" ".join(["word"] * 34))] == [11, 12, 11]


def test_sentences_stay_apart_and_short_ones_are_left_out():
    assert cut("Stop. How do I bake bread? I have no oven!") == ["How do I bake bread?", "I have no oven!"]
