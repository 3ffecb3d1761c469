"""The `casa` command: thin commands that parse, call a room and print."""

from __future__ import annotations

from casa.cli.main import main

__all__ = ["main"]
