"""What the tower is trained on: characters and pieces by cell and by row, and outputs near the language model's embeddings.

With h the tower's output in a cell and E_v the embedding of class v, the logit of v is

    tau * (h . E_v - |E_v|^2 / 2) + b_v,

that is -tau * |h - E_v|^2 / 2 up to what all classes share. This alone lets h drift away from the embeddings along what they
share; the pull |h - E_target|^2 keeps it there. The embeddings of pieces are frozen. That of the blank is trained, from the
embedding of " " on.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, ctc_loss

from casa.nano.drawn import drawn_classes
from casa.nano.vision.labels import IGNORED, SLOTS
from casa.nano.vision.tower import Encoded
from casa.nano.vision.vocabulary import BLANK, CHARACTERS

CHARACTER_CLASSES = len(CHARACTERS) + 1


class Targets(NamedTuple):
    """Labels of a batch of equal-sized pictures.

    Attributes:
        characters: (batch, rows, 4 * columns) classes.
        pieces: (batch, rows, columns) classes.
        character_rows: (batch * rows, longest) classes from left to right, padded.
        character_lengths: (batch * rows,).
        piece_rows: (batch * rows, longest), likewise.
        piece_lengths: (batch * rows,).
    """

    characters: Tensor
    pieces: Tensor
    character_rows: Tensor
    character_lengths: Tensor
    piece_rows: Tensor
    piece_lengths: Tensor


class Weights(NamedTuple):
    """What the parts of the loss count.

    Attributes:
        cells: of cross-entropy by cell.
        rows: of CTC by row.
        pull: of the squared distance to the target's embedding.
        blank: of a blank cell in the cross-entropy; others count 1.
    """

    cells: float
    rows: float
    pull: float
    blank: float


class Losses(NamedTuple):
    """The weighted sum and its parts, each a mean over cells (character slots); CTC is not computed at weight 0."""

    total: Tensor
    character_cells: Tensor
    piece_cells: Tensor
    character_rows: Tensor
    piece_rows: Tensor
    pull: Tensor


class ReadingHeads(nn.Module):
    """From the tower's states to logits of characters and pieces; for training and measuring, no part of the model.

    Args:
        hidden: width of the merger's hidden layer.
        embeddings: (classes, out), the blank's starting point first.
    """

    pieces: Tensor

    def __init__(self, hidden: int, embeddings: Tensor) -> None:
        super().__init__()
        self.characters = nn.Linear(hidden, SLOTS * CHARACTER_CLASSES)
        self.register_buffer("pieces", embeddings[1:].clone(), persistent=False)
        self.blank = nn.Parameter(embeddings[0].clone())
        self.log_tau = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(len(embeddings)))

    def embeddings(self, classes: Tensor | None = None) -> Tensor:
        """(classes, out) of some classes, of which the first must be the blank, or of all."""
        pieces = self.pieces if classes is None else self.pieces[classes[1:] - 1]
        return torch.cat([self.blank[None], pieces])

    def character_logits(self, encoded: Encoded) -> Tensor:
        """(batch, rows, 4 * columns, 96), float32."""
        logits: Tensor = self.characters(encoded.hidden.float()).float()
        return logits.unflatten(-1, (SLOTS, CHARACTER_CLASSES)).flatten(2, 3)

    def piece_logits(self, encoded: Encoded, classes: Tensor | None = None) -> Tensor:
        """(batch, rows, columns, classes), float32; of some classes, of which the first must be the blank, or of all."""
        embeddings, bias = self.embeddings(classes), self.bias if classes is None else self.bias[classes]
        closeness = (encoded.cells.float() @ embeddings.T).float() - embeddings.square().sum(-1) / 2
        return self.log_tau.exp() * closeness + bias


def reading_loss(
    heads: ReadingHeads,
    encoded: Encoded,
    targets: Targets,
    weights: Weights,
    sampled: int | None = None,
    seed: int = 0,
) -> Losses:
    """The loss of a batch; rows with no room for their symbols count nothing.

    Args:
        heads: for the logits.
        encoded: the tower's outputs.
        targets: what they should say.
        weights: what the parts count.
        sampled: so many of the pieces that the batch does not say are drawn for it, the others left out; None for all.
        seed: of the drawn pieces.
    """
    said = torch.cat([targets.pieces.flatten(), targets.piece_rows.flatten()])
    drawn = drawn_classes(said, len(heads.bias), sampled, seed)
    characters = heads.character_logits(encoded)
    pieces = heads.piece_logits(encoded, drawn.numbers) + drawn.log_weights
    character_cells = cell_loss(characters, targets.characters, weights.blank)
    piece_cells = cell_loss(pieces, drawn.places(targets.pieces), weights.blank)
    character_rows = piece_rows = character_cells.new_zeros(())
    if weights.rows:
        character_rows = row_loss(characters, targets.character_rows, targets.character_lengths)
        piece_rows = row_loss(pieces, drawn.places(targets.piece_rows), targets.piece_lengths)
    pull = pull_loss(heads.embeddings(drawn.numbers), encoded.cells, drawn.places(targets.pieces))
    total = (
        weights.cells * (character_cells + piece_cells)
        + weights.rows * (character_rows + piece_rows)
        + weights.pull * pull
    )
    return Losses(total, character_cells, piece_cells, character_rows, piece_rows, pull)


def cell_loss(logits: Tensor, classes: Tensor, blank: float) -> Tensor:
    """Mean cross-entropy by cell, nats, blank cells weighted.

    Args:
        logits: (batch, rows, places, classes).
        classes: (batch, rows, places); `IGNORED` ones do not count.
        blank: weight of the blank.
    """
    weight = logits.new_ones(logits.shape[-1])
    weight[BLANK] = blank
    loss = cross_entropy(logits.flatten(0, 2), classes.flatten(), weight, reduction="sum", ignore_index=IGNORED)
    counted = weight[classes.clamp(min=0)] * (classes != IGNORED)
    return loss / counted.sum().clamp(min=1)  # the mean that torch makes is no number when all are ignored


def row_loss(logits: Tensor, sequences: Tensor, lengths: Tensor) -> Tensor:
    """CTC of every row's sequence, nats by place, so that it is comparable with `cell_loss`.

    Args:
        logits: (batch, rows, places, classes).
        sequences: (batch * rows, longest) classes, padded.
        lengths: (batch * rows,); a row that has fewer places than it needs counts nothing.
    """
    by_place = logits.flatten(0, 1).log_softmax(-1).transpose(0, 1)
    places, rows = by_place.shape[:2]
    room = torch.full((rows,), places, device=logits.device)
    loss = ctc_loss(by_place, sequences, room, lengths, BLANK, reduction="sum", zero_infinity=True)
    return loss / (places * rows)


def pull_loss(embeddings: Tensor, cells: Tensor, classes: Tensor) -> Tensor:
    """Mean of |h - E_target|^2 over the cells that have a target.

    Args:
        embeddings: (classes, out).
        cells: (batch, rows, columns, out).
        classes: (batch, rows, columns), rows of `embeddings`.
    """
    target = embeddings[classes.clamp(min=0)]
    distance = (cells.float() - target).square().sum(-1)
    known = classes != IGNORED
    return (distance * known).sum() / known.sum().clamp(min=1)
