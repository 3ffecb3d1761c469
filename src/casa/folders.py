"""Folders that are there whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from casa.errors import CheckpointError


@contextmanager
def complete_folder(folder: Path) -> Iterator[Path]:
    """A scratch folder to write into, which becomes `folder` at the end of the block, or goes where the block fails.

    Raises:
        CheckpointError: the folder exists, already or when the block ends, or cannot be made.
    """
    exists = CheckpointError(f"{folder} exists already; name a new folder")
    if folder.exists():
        raise exists
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be written: {error}") from error
    try:
        yield scratch
        scratch.chmod(0o755)
        try:
            scratch.rename(folder)
        except OSError as error:  # somebody else was first
            raise exists from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
