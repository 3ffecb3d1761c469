"""Reads the rows of a running batch token by token, and ends each row on its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import StoppingCriteria

from casa.model.outputs import Verdict
from casa.serving.answer_reader import AnswerReader
from casa.serving.transformers.jobs import Job


class Row:
    """One job's row of a batch.

    Args:
        job: told of every event.
        reader: of its answer.
    """

    def __init__(self, job: Job, reader: AnswerReader) -> None:
        self._job, self._reader = job, reader

    @property
    def ended(self) -> bool:
        """Whether the job has heard the end of its answer."""
        return self._reader.ended

    def decide(self, verdict: Verdict) -> None:
        """Tells the verdict, before the first token."""
        self._job.emit(self._reader.decide(verdict, self._job.prompt.inputs["input_ids"].shape[1]))

    def take(self, token: int) -> bool:
        """Tells the next token; whether the row is done.

        Raises:
            UnsafeStateError: as `AnswerReader.take`.
        """
        if not self.ended and not self._job.cancelled:
            for event in self._reader.take(token):
                self._job.emit(event)
        return self.ended or self._job.cancelled


class RowReader(StoppingCriteria):
    """Hands every new token to its row, as transformers' generation goes on."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Tensor:
        """Which rows are done, shape (rows,)."""
        done = [row.take(token) for row, token in zip(self._rows, input_ids[:, -1].tolist(), strict=True)]
        return torch.tensor(done, device=input_ids.device)
