"""Rows of prompts: read from lines, classified in batches, a bad one never in the way of the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from casa.errors import CasaError, DataError

if TYPE_CHECKING:
    from casa.model.casa_model import CasaModel
    from casa.model.outputs import Verdict


@dataclass(frozen=True)
class Row:
    """One line of input.

    Attributes:
        line: its number, from 1.
        fields: what it held, passed through to the output.
        messages: the conversation to classify.
        error: why it cannot be classified, or None.
    """

    line: int
    fields: dict[str, Any] = field(default_factory=dict)
    messages: list[Any] = field(default_factory=list)
    error: CasaError | None = None


@dataclass(frozen=True)
class Result:
    """What became of a row: a verdict or an error.

    Attributes:
        row: the row.
        outcome: its verdict, or why there is none.
    """

    row: Row
    outcome: Verdict | CasaError

    def as_dict(self) -> dict[str, Any]:
        """The row of output."""
        if isinstance(self.outcome, CasaError):
            return {"error": str(self.outcome), "line": self.row.line}
        return {**self.row.fields, "verdict": self.outcome.as_dict()}


def read_rows(lines: Iterable[bytes], jsonl: bool) -> Iterator[Row]:
    """Rows of the lines that are not empty.

    Args:
        lines: UTF-8.
        jsonl: each line is an object with "text" or "messages"; else it is a prompt.
    """
    parse = _from_json if jsonl else _from_text
    for number, raw in enumerate(lines, start=1):
        if not raw.strip():
            continue
        try:
            fields, messages = parse(raw.decode("utf-8-sig").rstrip("\r\n"))
        except UnicodeDecodeError:
            yield Row(number, error=DataError("the line is not UTF-8"))
        except DataError as error:
            yield Row(number, error=error)
        else:
            yield Row(number, fields, messages)


def classify_rows(casa: CasaModel, rows: Iterable[Row], batch_size: int) -> Iterator[Result]:
    """Results in the order of the rows, which are read one batch at a time."""
    remaining = iter(rows)
    while batch := list(islice(remaining, batch_size)):
        good = [row.messages for row in batch if row.error is None]
        outcomes = iter(_outcomes(casa.classify, good) if good else [])
        for row in batch:
            yield Result(row, row.error if row.error is not None else next(outcomes))


def _outcomes(classify: Callable[[Any], list[Verdict]], batch: list[Any]) -> list[Verdict | CasaError]:
    """Verdicts on a batch; where it holds a bad conversation, each is judged alone."""
    try:
        return [*classify(batch)]
    except CasaError as error:
        if len(batch) == 1:
            return [error]
        return [outcome for messages in batch for outcome in _outcomes(classify, [messages])]


def _from_text(line: str) -> tuple[dict[str, Any], list[Any]]:
    return {"text": line}, _question(line)


def _from_json(line: str) -> tuple[dict[str, Any], list[Any]]:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"the line is not JSON: {error}") from error
    if not isinstance(fields, dict) or ("text" in fields) == ("messages" in fields):
        raise DataError('a line is an object with either "text" or "messages"')
    if "text" in fields:
        return fields, _question(fields["text"])
    if not isinstance(fields["messages"], list):
        raise DataError('"messages" is a list of {"role", "content"}')
    return fields, fields["messages"]


def _question(text: Any) -> list[Any]:
    if not isinstance(text, str):
        raise DataError('"text" is a string')
    return [{"role": "user", "content": text}]
