"""Draws each row's next token by that row's own settings and random numbers, so that a batch changes no answer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList
from transformers.generation.logits_process import TemperatureLogitsWarper, TopPLogitsWarper

from casa.serving.engine import Sampling

_GREEDY_BELOW = 0.01  # a smaller temperature would overflow


class RowSampler(LogitsProcessor):
    """Leaves the drawn token only on rows that sample; greedy rows keep their scores.

    It comes before the processor that forces the safety token, and draws nothing at that step.

    Args:
        rows: settings of each row.
        banned: ids that are never drawn, from `own_tokens`.
        device: of the scores.
    """

    def __init__(self, rows: Sequence[Sampling], banned: Sequence[int], device: torch.device) -> None:
        self._banned = list(banned)
        self._first = True
        self._rows = {
            i: (_warpers(row), _generator(row.seed, device))
            for i, row in enumerate(rows)
            if row.temperature >= _GREEDY_BELOW
        }

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores of the next token, shape (rows, vocabulary)."""
        if self._first or not self._rows:
            self._first = False
            return scores
        scores = scores.clone()
        scores[:, self._banned] = -torch.inf
        for i, (warpers, generator) in self._rows.items():
            if scores[i].isnan().any():  # nothing can be drawn; a failed row is stopped behind this
                continue
            chances = warpers(input_ids[i : i + 1], scores[i : i + 1]).softmax(dim=-1)  # type: ignore[arg-type]
            drawn = torch.multinomial(chances, 1, generator=generator)
            scores[i] = torch.full_like(scores[i], -torch.inf).scatter(0, drawn[0], 0.0)
        return scores


def _warpers(row: Sampling) -> LogitsProcessorList:
    nucleus = [TopPLogitsWarper(row.top_p)] if row.top_p < 1 else []
    return LogitsProcessorList([TemperatureLogitsWarper(float(row.temperature)), *nucleus])


def _generator(seed: int | None, device: torch.device) -> torch.Generator:
    generator = torch.Generator(device)
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    return generator
