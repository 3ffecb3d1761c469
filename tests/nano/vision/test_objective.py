"""Each part of the loss against a hand computation or torch's own."""

import math

import pytest
import torch
from torch.nn.functional import ctc_loss

from casa.nano.vision.labels import IGNORED
from casa.nano.vision.objective import (
    CHARACTER_CLASSES,
    ReadingHeads,
    Targets,
    Weights,
    cell_loss,
    pull_loss,
    reading_loss,
    row_loss,
)
from casa.nano.vision.tower import Encoded


@pytest.fixture
def heads():
    torch.manual_seed(0)
    return ReadingHeads(8, torch.randn(5, 3))


@pytest.fixture
def encoded():
    torch.manual_seed(1)
    return Encoded(torch.randn(2, 1, 4, 3), torch.randn(2, 1, 4, 8))


@pytest.fixture
def targets():
    characters = torch.zeros(2, 1, 16, dtype=torch.long)
    characters[0, 0, :3] = torch.tensor([4, 0, 9])
    pieces = torch.tensor([[[0, 2, 0, 4]], [[1, 0, 0, 0]]])
    return Targets(
        characters,
        pieces,
        torch.tensor([[4, 9], [0, 0]]),
        torch.tensor([2, 0]),
        torch.tensor([[2, 4], [1, 0]]),
        torch.tensor([2, 1]),
    )


def test_there_are_95_characters_and_a_blank():
    assert CHARACTER_CLASSES == 96


def test_piece_logits_are_distances_up_to_what_all_classes_share(heads, encoded):
    with torch.no_grad():
        heads.log_tau.fill_(math.log(2.5))
        heads.bias.copy_(torch.arange(5.0))
    logits = heads.piece_logits(encoded)
    squared = torch.cdist(encoded.cells.flatten(0, 2), heads.embeddings()).square()
    by_hand = (-2.5 * squared / 2 + torch.arange(5.0)).log_softmax(-1)
    assert torch.allclose(logits.flatten(0, 2).log_softmax(-1), by_hand, atol=1e-5)


def test_character_logits_have_four_slots_a_cell_in_order(heads, encoded):
    logits = heads.character_logits(encoded)
    assert logits.shape == (2, 1, 16, 96)
    assert torch.equal(logits[0, 0, 6], heads.characters(encoded.hidden)[0, 0, 1, 2 * 96 : 3 * 96])


def test_cell_loss_weighs_blanks_and_passes_over_ignored_cells():
    logits = torch.randn(1, 1, 4, 3)
    nats = -logits.log_softmax(-1)[0, 0]
    by_hand = (nats[0, 2] + 0.5 * nats[1, 0] + nats[3, 1]) / 2.5
    assert torch.allclose(cell_loss(logits, torch.tensor([[[2, 0, IGNORED, 1]]]), 0.5), by_hand)


def test_cell_loss_of_ignored_cells_alone_is_zero():
    assert cell_loss(torch.randn(1, 1, 2, 3), torch.full((1, 1, 2), IGNORED), 0.5) == 0


def test_row_loss_is_ctc_by_place():
    logits = torch.randn(2, 2, 5, 4)
    sequences, lengths = torch.tensor([[1, 2], [0, 0], [3, 3], [2, 0]]), torch.tensor([2, 0, 2, 1])
    by_hand = sum(
        ctc_loss(row.log_softmax(-1)[:, None], one[None, :n], torch.tensor([5]), n[None], 0, "sum")
        for row, one, n in zip(logits.flatten(0, 1), sequences, lengths, strict=True)
    )
    assert torch.allclose(row_loss(logits, sequences, lengths), by_hand / 20)


def test_row_loss_of_one_symbol_in_two_places_by_hand():
    p = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]])
    found = row_loss(p.log()[None, None], torch.tensor([[1]]), torch.tensor([1]))
    assert math.isclose(found.item(), -math.log(0.3 * 0.6 + 0.5 * 0.6 + 0.3 * 0.1) / 2, rel_tol=1e-5)


def test_a_row_without_room_for_its_sequence_counts_nothing_and_has_no_gradient():
    logits = torch.randn(1, 1, 2, 4, requires_grad=True)
    loss = row_loss(logits, torch.tensor([[1, 2, 3]]), torch.tensor([3]))
    loss.backward()
    assert loss == 0 and not logits.grad.any()


def test_the_pull_is_the_squared_distance_to_the_targets_embedding(heads, encoded):
    classes = torch.tensor([[[3, IGNORED, IGNORED, IGNORED]], [[IGNORED, 0, IGNORED, IGNORED]]])
    first = (encoded.cells[0, 0, 0] - heads.embeddings()[3]).square().sum()
    blank = (encoded.cells[1, 0, 1] - heads.blank).square().sum()
    assert torch.allclose(pull_loss(heads.embeddings(), encoded.cells, classes), (first + blank) / 2)


def test_the_total_is_the_weighted_sum_of_the_parts(heads, encoded, targets):
    losses = reading_loss(heads, encoded, targets, Weights(cells=0.1, rows=1.0, pull=0.3, blank=0.5))
    parts = losses.character_cells + losses.piece_cells, losses.character_rows + losses.piece_rows, losses.pull
    assert torch.allclose(losses.total, 0.1 * parts[0] + parts[1] + 0.3 * parts[2])
    assert all(part > 0 for part in losses)


def test_without_rows_the_total_is_that_of_cells_and_pull(heads, encoded, targets):
    losses = reading_loss(heads, encoded, targets, Weights(cells=1.0, rows=0.0, pull=0.0, blank=1.0))
    assert losses.total == losses.character_cells + losses.piece_cells
    assert losses.character_rows == losses.piece_rows == 0


def test_embeddings_of_pieces_are_frozen_and_the_blanks_is_trained_from_its_start(heads, encoded, targets):
    torch.manual_seed(0)
    start = torch.randn(5, 3)
    assert torch.equal(heads.embeddings(), start)
    assert {name for name, _ in heads.named_parameters()} == {
        "blank",
        "log_tau",
        "bias",
        "characters.weight",
        "characters.bias",
    }
    reading_loss(heads, encoded, targets, Weights(0.1, 1.0, 1.0, 0.5)).total.backward()
    assert all(parameter.grad.any() for parameter in heads.parameters())


def test_drawing_all_pieces_is_the_whole_loss(heads, encoded, targets):
    weights = Weights(cells=0.1, rows=1.0, pull=0.3, blank=0.5)
    whole = reading_loss(heads, encoded, targets, weights)
    drawn = reading_loss(heads, encoded, targets, weights, sampled=5, seed=1)
    assert torch.allclose(torch.stack(drawn), torch.stack(whole), atol=1e-5)
