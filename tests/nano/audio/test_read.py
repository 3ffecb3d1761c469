"""Reading collapses repetitions, and errors are counted by kind of clip."""

import pytest
import torch

from casa.nano.audio.labels import BLANK
from casa.nano.audio.read import error_rates, greedy
from sines import LABELS

CLASSES = torch.randn(6, 16, generator=torch.Generator().manual_seed(0))


def read(*rows):
    lengths = torch.tensor([len(row) for row in rows])
    padded = [row + [3] * (int(lengths.max()) - len(row)) for row in rows]
    return [heard.text for heard in greedy(CLASSES[torch.tensor(padded)] + 0.01, lengths, CLASSES, LABELS)]


def test_repetitions_count_once_unless_a_blank_parts_them():
    low, high = 1, 3
    assert read([BLANK, low, low, BLANK, high, BLANK, high]) == ["low high high"]


def test_padding_and_silence_are_no_text():
    assert read([1, BLANK, BLANK, 2], [BLANK], [2]) == ["low middle", "", "middle"]


def test_closeness_is_of_the_vectors_that_say_something():
    vectors = torch.stack([CLASSES[1], CLASSES[BLANK], 0.7 * CLASSES[2], CLASSES[3]])
    (heard,) = greedy(vectors[None], torch.tensor([3]), CLASSES, LABELS)
    assert heard.closeness == pytest.approx([1.0, 1.0])
    (silent,) = greedy(vectors[None, 1:2], torch.tensor([1]), CLASSES, LABELS)
    assert silent.closeness == []


def test_words_and_letters_are_rated_apart():
    kinds = ["sentence", "spelled", "carrier"]
    rates = error_rates(kinds, ["low middle", "a b a b", "high high"], ["low", "a b a a", "high high"])
    assert rates == {"word_error_rate": pytest.approx(0.25), "letter_error_rate": pytest.approx(0.25)}


def test_a_kind_that_is_not_there_has_no_rate():
    assert error_rates(["spelled"], ["a b"], [""]) == {"letter_error_rate": 1.0}
