"""Dataclasses from a YAML file and `--field value` overrides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml

from casa.errors import CasaError


def parse_recipe(path: Path, overrides: list[str], types: tuple[type, ...]) -> tuple[Any, ...]:
    """One instance of each dataclass, their fields from YAML and `--field value` overrides.

    Args:
        path: YAML, one mapping of fields to values.
        overrides: command-line words; they win over the file.
        types: dataclasses without a field in common.

    Raises:
        CasaError: the file cannot be read, a field is unknown, or a value does not fit.
    """
    from transformers import HfArgumentParser

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise CasaError(f"cannot read the recipe {path}: {error}") from error
    if not isinstance(values, dict):
        raise CasaError(f"the recipe {path} must be a mapping of fields to values")
    arguments = field_words(values)
    parser = HfArgumentParser(types)  # type: ignore[arg-type]

    def fail(message: str) -> NoReturn:
        raise CasaError(f"recipe {path}: {message}")

    parser.error = fail  # type: ignore[method-assign]
    try:
        *parsed, unknown = parser.parse_args_into_dataclasses(
            args=arguments + overrides, return_remaining_strings=True, look_for_args_file=False
        )
    except (ValueError, TypeError) as error:
        raise CasaError(f"recipe {path}: {error}") from error
    if unknown:
        raise CasaError(f"recipe {path}: unknown field or value {' '.join(unknown)}")
    return tuple(parsed)


def field_words(values: Mapping[str, Any]) -> list[str]:
    """Fields as command-line words; None leaves a default."""
    return [word for name, value in values.items() if value is not None for word in (f"--{name}", *_words(value))]


def _words(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [json.dumps(v) if isinstance(v, dict) else str(v) for v in values]
