"""What a threshold costs and buys, counted from the scores that a measurement kept."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from casa.data.held_out import HARMFUL, HARMLESS
from casa.errors import DataError
from casa.evaluation.metrics import Rate


@dataclass(frozen=True)
class TradeOff:
    """A measurement of one model on held-out queries.

    Attributes:
        scores: p_unsafe of each query, ascending, by kind (`HARMFUL` and `HARMLESS`).
        model: that was measured.
        split: of the data.
        command: that measured it.
    """

    scores: Mapping[str, Sequence[float]]
    model: str
    split: str
    command: str

    def called_unsafe(self, kind: str, threshold: float) -> Rate:
        """How many queries of a kind would be unsafe: the true positive rate of `HARMFUL` kinds, the false one of `HARMLESS`."""
        found = self.scores[kind]
        return Rate.of(len(found) - bisect_left(found, threshold), len(found))


def read_trade_off(path: Path, adapter_sha256: str | None = None) -> TradeOff:
    """The measurement in a results file of `casa.evaluation.nano_text`.

    Args:
        path: of the file.
        adapter_sha256: of the model that it must have measured; None takes any.

    Raises:
        DataError: the file is not there, keeps no scores, or measured another model.
    """
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        measured = str(result["adapter_sha256"])
        scores = {kind: sorted(map(float, result["scores"][kind]["p_unsafe"])) for kind in (*HARMFUL, *HARMLESS)}
        told = str(result["model"]), str(result["split"]), str(result["command"])
    except OSError as error:
        raise DataError(f"the file {path} cannot be read") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"the file {path} keeps no scores of single queries") from error
    if adapter_sha256 not in (None, measured):
        raise DataError(f"the file {path} is of another model")
    if not all(scores.values()):
        raise DataError(f"the file {path} has no queries of some kinds")
    return TradeOff(scores, *told)
