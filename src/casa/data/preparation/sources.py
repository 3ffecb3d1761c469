"""Public sources, described in YAML and read by `datasets`: local folders, or data sets of the hub that the user named."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from casa.errors import DataError, MissingDependencyError

Label = Literal["malicious", "benign"]
_FORMATS = {".json": "json", ".jsonl": "json", ".csv": "csv", ".parquet": "parquet", ".arrow": "arrow"}


class Row(NamedTuple):
    """A query of a source.

    Attributes:
        id: the source's name and the row's number in it, from 1.
        text: the query.
        label: its label.
        answer: of a benign query; a malicious one never has any.
        source: the source's name.
    """

    id: str
    text: str
    label: Label
    answer: str | None
    source: str


@dataclass(frozen=True)
class Source:
    """One source, and which of its rows and columns are taken.

    Attributes:
        name: of the source, in ids and in the card.
        label: of all its rows.
        query: column of the query, or several that are joined by blank lines (Alpaca's instruction and input).
        hub: id of a data set on the hub; that or `folder`.
        folder: local folder, or one file; from the YAML file's own folder if it is no whole path.
        files: pattern of the files in it; None for all of a known format.
        split: of the hub's data set.
        where: values that columns must have.
        answer: column of the answer, of benign sources only.
        limit: at most so many of its rows are kept in the end, drawn at random.
        licence: of the source, for the card.
        url: where it is described, for the card.
    """

    name: str
    label: Label
    query: str | list[str]
    hub: str | None = None
    folder: str | None = None
    files: str | None = None
    split: str = "train"
    where: dict[str, Any] = field(default_factory=dict)
    answer: str | None = None
    limit: int | None = None
    licence: str = "not stated"
    url: str = ""

    def __post_init__(self) -> None:
        """Checks every field and reports all errors at once.

        Raises:
            ValueError: a field does not fit.
        """
        checks = {
            "name must be letters, digits, '-', '_' or '.'": re.fullmatch(r"[\w.-]+", str(self.name)),
            "label must be 'malicious' or 'benign'": self.label in ("malicious", "benign"),
            "name either hub or folder": (self.hub is None) is not (self.folder is None),
            "a malicious source takes no answer: only its queries are kept": not (
                self.answer and self.label == "malicious"
            ),
            "limit must be >= 1": self.limit is None or self.limit >= 1,
        }
        if errors := [message for message, holds in checks.items() if not holds]:
            raise ValueError(f"source {self.name}: {'; '.join(errors)}")

    @property
    def columns(self) -> list[str]:
        """All columns that are read."""
        query = [self.query] if isinstance(self.query, str) else self.query
        return [*query, *([self.answer] if self.answer else []), *self.where]

    def rows(self) -> Iterator[Row]:
        """Its rows that `where` lets through; texts are stripped and may be empty.

        Raises:
            DataError: files or columns are missing, or a text is none.
            MissingDependencyError: `datasets` is not installed.
        """
        query = [self.query] if isinstance(self.query, str) else self.query
        for number, record in enumerate(self._records(), start=1):
            if missing := [name for name in self.columns if name not in record]:
                there = ", ".join(map(str, record))
                raise DataError(f"{self.name}, row {number}, has no column {', '.join(missing)}; it has {there}")
            if all(record[name] == value for name, value in self.where.items()):
                texts = [_text(record[name], f"{self.name}, row {number}, {name}") for name in query]
                answer = (
                    _text(record[self.answer], f"{self.name}, row {number}, {self.answer}") if self.answer else None
                )
                yield Row(f"{self.name}-{number}", "\n\n".join(filter(None, texts)), self.label, answer, self.name)

    def _records(self) -> Iterator[dict[str, Any]]:
        try:
            from datasets import load_dataset
        except ImportError as error:
            raise MissingDependencyError("data are read by datasets: pip install 'casa-mllm[data]'") from error
        try:
            if self.hub is not None:
                yield from load_dataset(self.hub, split=self.split)
                return
            for path in self._files():
                # streamed, so that nothing is copied into a cache
                yield from load_dataset(_FORMATS[path.suffix], data_files=str(path), split="train", streaming=True)
        except (OSError, ValueError, RuntimeError) as error:  # what datasets raises on what it cannot find or read
            if isinstance(error, DataError):
                raise
            raise DataError(f"{self.name} cannot be read: {error}") from error

    def _files(self) -> list[Path]:
        place = Path(str(self.folder))
        if not place.exists():
            raise DataError(f"{self.name}: there is no {place}. {self.url and f'See {self.url}.'}".strip())
        found = [place] if place.is_file() else sorted(place.glob(self.files or "**/*"))
        files = [path for path in found if path.suffix in _FORMATS]
        if not files:
            raise DataError(f"{self.name}: {place} holds no {self.files or 'file'} of {', '.join(_FORMATS)}")
        return files


def _text(value: Any, where: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DataError(f"{where} is no text but {type(value).__name__}")
    return value.strip()


def read_sources(path: Path, folders: Mapping[str, Path]) -> list[Source]:
    """The sources of a YAML file, `sources: [{name: ..., label: ..., query: ...}, ...]`.

    Args:
        path: the file.
        folders: local folders or files, by source, that are read instead of what the file names.

    Raises:
        DataError: the file is malformed, or there is no source of a name.
    """
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))["sources"]
        sources = [_source(entry, path.parent) for entry in entries]
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path} lists no sources: {error!r}" if isinstance(error, KeyError) else f"{path}: {error}"
        ) from error
    names = [source.name for source in sources]
    if not names or len(set(names)) < len(names):
        raise DataError(f"{path} must list sources with different names; it lists {', '.join(names) or 'none'}")
    if unknown := sorted(set(folders) - set(names)):
        raise DataError(f"{path} has no source {', '.join(unknown)}; it has {', '.join(names)}")
    return [replace(s, hub=None, folder=str(folders[s.name])) if s.name in folders else s for s in sources]


def _source(entry: dict[str, Any], beside: Path) -> Source:
    if unknown := sorted(set(entry) - {part.name for part in fields(Source)}):
        raise ValueError(f"a source has no field {', '.join(unknown)}")
    folder = entry.get("folder")
    return Source(**{**entry, "folder": None if folder is None else str(beside / Path(folder).expanduser())})
