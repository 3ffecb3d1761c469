"""The SQLite file of a study: making one, opening one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from casa.errors import DataError

_SCHEMA = Path(__file__).with_name("schema.sql")
_APPLICATION = 0x43415341  # "CASA", in the file's header
_VERSION = 1
_BUSY_S = 30  # waits so long for another writer


@contextmanager
def new_database(path: Path) -> Iterator[sqlite3.Connection]:
    """A database that appears at `path` only when everything is written, readable by its owner alone.

    Raises:
        DataError: there is a file already: it may hold ratings.
    """
    if path.exists():
        raise DataError(f"{path} is there already and may hold ratings; give another name, or remove it yourself")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    try:
        with closing(sqlite3.connect(partial)) as connection, connection:
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.executescript(_SCHEMA.read_text(encoding="utf-8"))
            yield connection
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def transaction(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection inside one transaction: all that is done with it is on disk when this ends, or nothing is.

    Raises:
        DataError: the file is no batch of this version, or cannot be read or written.
    """
    try:
        with closing(sqlite3.connect(_address(path), uri=True, timeout=_BUSY_S, isolation_level=None)) as connection:
            _check(connection, path)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()
    except sqlite3.Error as error:
        raise DataError(f"{path}: {error}") from error


def _address(path: Path) -> str:
    """Opens what is there and makes nothing new."""
    if not path.is_file():
        raise DataError(f"{path} is not there. casa annotate prepare writes it.")
    return f"{path.resolve().as_uri()}?mode=rw"


def _check(connection: sqlite3.Connection, path: Path) -> None:
    found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
    if found[0] != _APPLICATION:
        raise DataError(f"{path} is no batch of casa annotate prepare")
    if found[1] != _VERSION:
        raise DataError(f"{path} was written by another version of casa (layout {found[1]}, this one reads {_VERSION})")
