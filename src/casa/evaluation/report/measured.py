"""Results files beside the logs: what was measured with the weights in hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from casa.errors import DataError
from casa.evaluation.logs import MEASURED, one_line


@dataclass(frozen=True)
class Measured:
    """One results file.

    Attributes:
        file: its name.
        model: as the logs name it; rivals of CASA, which are in no logs, have their method's name before them.
        figures: all of it.
    """

    file: str
    model: str
    figures: dict[str, Any]

    @property
    def adapter(self) -> str | None:
        """SHA-256 of the adapter that was measured, where the file says so."""
        return self.figures.get("adapter_sha256")


def results_files(places: Sequence[Path]) -> list[Path]:
    """Those in some folders of logs, and those named themselves; logs in JSON begin with a date and are none."""
    inside = [path for place in places if place.is_dir() for path in sorted((place / MEASURED).glob("*.json"))]
    return [*inside, *filter(is_results_file, places)]


def is_results_file(path: Path) -> bool:
    """Whether a path names a results file, as `write_result` leaves them, and no log."""
    return path.suffix == ".json" and path.is_file() and not path.name[:4].isdecimal()


def read_measured(places: Sequence[Path]) -> list[Measured]:
    """What some results files hold.

    Raises:
        DataError: one cannot be read, or does not name its model.
    """
    return [_read(path) for path in results_files(places)]


def _read(path: Path) -> Measured:
    try:
        figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        name = f"{figures.get('method', 'casa')}/{figures['model']}"
        return Measured(one_line(path.name), one_line(name), figures)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path.name} is no results file of a model: {error!r}") from error
