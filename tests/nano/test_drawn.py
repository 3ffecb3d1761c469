"""Some classes stand for all: what a batch says is among them, and the softmax's denominator is right in the mean."""

import torch

from casa.nano.drawn import drawn_classes

SAID = torch.tensor([[1, 2, 2], [5, 0, -100]])


def test_drawn_classes_hold_all_that_a_batch_says_and_the_blank():
    drawn = drawn_classes(SAID[:1], classes=7, sampled=2, seed=3)
    assert drawn.numbers[:3].tolist() == [0, 1, 2]
    assert len(set(drawn.numbers.tolist())) == 5
    assert torch.equal(drawn.numbers, drawn_classes(SAID[:1], 7, 2, 3).numbers)


def test_places_find_the_classes_again_and_leave_what_is_none():
    drawn = drawn_classes(SAID, classes=7, sampled=2, seed=3)
    places = drawn.places(SAID)
    assert torch.equal(drawn.numbers[places[SAID >= 0]], SAID[SAID >= 0])
    assert places[1, 2] == -100


def test_all_classes_are_drawn_without_a_number():
    drawn = drawn_classes(SAID, classes=7, sampled=None, seed=0)
    assert sorted(drawn.numbers.tolist()) == list(range(7))
    assert not drawn.log_weights.any()


def test_a_batch_that_says_all_classes_draws_none():
    assert drawn_classes(torch.arange(7), 7, 3, 0).numbers.tolist() == list(range(7))


def test_the_drawn_denominator_is_right_in_the_mean():
    logits = torch.randn(9, generator=torch.Generator().manual_seed(2))
    sums = []
    for seed in range(2000):
        drawn = drawn_classes(SAID, 9, 2, seed)
        sums.append((logits[drawn.numbers] + drawn.log_weights).exp().sum())
    assert torch.allclose(torch.stack(sums).mean(), logits.exp().sum(), rtol=0.02)
