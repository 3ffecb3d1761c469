"""Checksums of files."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_intact(path: Path, checksum: str) -> bool:
    """Whether a file is there and has the SHA-256 that was recorded."""
    return path.is_file() and sha256_of(path) == checksum
