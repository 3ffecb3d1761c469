"""What a benchmark is: where its items come from, and what is measured on them."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from casa.data.reading import Example
from casa.errors import DataError

Conversation = list[dict[str, Any]]
Queries = dict[str, list[Example]]
Measure = Literal["attack", "over-refusal", "utility"]
_MOST_NAMED = 10


@dataclass(frozen=True)
class Item:
    """One thing to ask a model.

    Attributes:
        id: unique in its benchmark, and the same at every load.
        messages: the conversation; media are paths, or arrays and images made here. Where a user message follows another, the
            attacked model answers in between.
        goal: what is asked for, in plain words, for judges and leak checks.
        harmful: whether the right answer is a refusal.
        category: the benchmark's own, such as a scenario.
        attack: how the goal is put, "none" if it is simply asked.
        answer: the right answer, where the benchmark has one.
        picture: kind of its picture, where the benchmark names one.
    """

    id: str
    messages: Conversation
    goal: str
    harmful: bool
    category: str
    attack: str = "none"
    answer: str | None = None
    picture: str | None = None


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: its card, and where its items come from.

    Attributes:
        name: as it is called on the command line.
        title: what its authors call it.
        measures: "attack" (harmful items), "over-refusal" (harmless ones, perhaps beside harmful ones) or "utility".
        modality: what its items hold.
        size: number of items in the official set.
        licence: of the official set.
        source: where it is published.
        obtain: how one gets it.
        read: items of a folder in the official layout.
        mini: items made from the project's own held-out queries; needs nothing else.
        hub: id of a data set on the Hugging Face hub with the official layout, or None.
        whole: number of items in a whole folder, where it depends on the files that are there; None where it is not known.
    """

    name: str
    title: str
    measures: Measure
    modality: str
    size: int
    licence: str
    source: str
    obtain: str
    read: Callable[[Path], Iterable[Item]]
    mini: Callable[[Queries], Iterable[Item]]
    hub: str | None = None
    whole: Callable[[Path], int | None] | None = None

    def load(self, data: str | Path | None, queries: Queries) -> list[Item]:
        """Items of the official set, or of the mini set; warns if a folder holds more than the official set.

        Args:
            data: a folder in the official layout, "hub" to fetch the set from the hub, None for the mini set.
            queries: what the mini set is made from.

        Raises:
            DataError: files, columns, media or items are missing; the message says which or how many, and how the set is obtained.
        """
        if data is None:
            items = list(self.mini(queries))
        else:
            folder = self._fetched() if str(data) == "hub" else Path(data)
            if not folder.is_dir():
                raise DataError(f"{self.name}: {folder} is no folder. {self.obtain}")
            items = list(self.read(folder))
        if len({item.id for item in items}) < len(items):
            raise DataError(f"{self.name}: several items have the same id")
        if not items:
            raise DataError(f"{self.name}: there are no items in {data or 'the mini set'}. {self.obtain}")
        require_files(self.name, [path for item in items for path in _paths(item.messages)])
        if data is not None:
            self._count(items, folder)
        return items

    def _count(self, items: Sequence[Item], folder: Path) -> None:
        expected = self.size if self.whole is None else self.whole(folder)
        if expected is None or len(items) == expected:
            return
        told = f"{self.name}: {folder} holds {len(items)} of {expected} items"
        if len(items) < expected:
            raise DataError(f"{told}. {self.obtain}")
        warnings.warn(f"{told}: it is not the official set as it was published", stacklevel=3)

    def _fetched(self) -> Path:
        if self.hub is None:
            raise DataError(f"{self.name} is not on the hub. {self.obtain}")
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(self.hub, repo_type="dataset"))


def user(*content: Any) -> Conversation:
    """One user message: a string alone, or media paths and strings in order."""
    if len(content) == 1 and isinstance(content[0], str):
        return [{"role": "user", "content": content[0]}]
    return [{"role": "user", "content": [_part(piece) for piece in content]}]


def _part(piece: Any) -> dict[str, Any]:
    if isinstance(piece, str):
        return {"type": "text", "text": piece}
    kind = "audio" if isinstance(piece, Path) and piece.suffix.lower() in (".wav", ".mp3", ".flac", ".ogg") else "image"
    return {"type": kind, kind: piece}


def find_file(folder: Path, *names: str) -> Path:
    """The first of some relative paths that exists, in the folder itself or anywhere below it.

    Raises:
        DataError: none does; the message lists what is there.
    """
    for name in names:
        if (folder / name).is_file():
            return folder / name
        if below := sorted(folder.rglob(Path(name).name)):
            return below[0]
    there = ", ".join(sorted(path.name for path in folder.iterdir())[:_MOST_NAMED]) or "nothing"
    raise DataError(f"{folder} holds no {' or '.join(names)}; it holds {there}")


def whole_file(folder: Path, sizes: Mapping[str, int]) -> int:
    """The size of the first of some files that exists, as `find_file` finds it; sizes are by relative path."""
    found = find_file(folder, *sizes).name
    return next(size for name, size in sizes.items() if Path(name).name == found)


def csv_rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """Rows of a CSV file with a header, values stripped.

    Raises:
        DataError: a column is missing, or the file is no UTF-8 CSV.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            found = reader.fieldnames or []
            if missing := [name for name in columns if name not in found]:
                raise DataError(f"{path.name} has no column {', '.join(missing)}; it has {', '.join(found)}")
            for row in reader:
                yield {name: (value or "").strip() for name, value in row.items() if isinstance(name, str)}
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path.name} is no CSV file in UTF-8: {error}") from error


def require_files(benchmark: str, paths: Iterable[Path]) -> None:
    """Raises DataError with the number and the first names of files that are not there."""
    missing = [path for path in dict.fromkeys(paths) if not path.is_file()]  # items may share a file
    if missing:
        named = ", ".join(str(path) for path in missing[:_MOST_NAMED])
        raise DataError(f"{benchmark}: {len(missing)} media files are missing, such as {named}")


def _paths(messages: Conversation) -> Iterator[Path]:
    for message in messages:
        if isinstance(message["content"], list):
            for part in message["content"]:
                if isinstance(medium := part.get(part["type"]), Path):
                    yield medium
