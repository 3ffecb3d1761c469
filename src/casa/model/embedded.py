"""Models that this package carries itself, known by name; the one place where `model` looks towards `nano`."""

from __future__ import annotations

from pathlib import Path


def adapter_folder(name: str) -> Path | None:
    """Folder of the shipped CASA adapter, or None if no model of that name is embedded."""
    from casa import nano

    return nano.adapter_folder() if name == nano.NANO_NAME else None


def base_source(name: str) -> str:
    """A loadable base model: an embedded one is assembled on first use, anything else is a hub id or folder."""
    from casa import nano

    return str(nano.ensure_nano()) if name == nano.NANO_NAME else name
