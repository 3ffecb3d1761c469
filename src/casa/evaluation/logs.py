"""Logs of inspect-ai: finding them, reading them, naming what they are of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from casa.errors import DataError, MissingDependencyError

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample

MEASURED = "measured"  # folder of results files beside logs
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_NO_SETTINGS = {"batch_size", "checksums"}  # arguments of a model that do not change what it does
_REQUIRED = {"benchmark", "measures", "set"}


def find_logs(places: Sequence[Path]) -> list[str]:
    """Addresses of every log in some folders, or of some files; each once.

    Raises:
        DataError: a place is not there or holds none.
        MissingDependencyError: inspect-ai is missing.
    """
    try:
        from inspect_ai.log import list_eval_logs
    except ImportError as error:
        raise MissingDependencyError("logs are read by inspect-ai: pip install 'casa-mllm[eval]'") from error
    found: dict[str, None] = {}
    for place in places:
        if not place.exists():
            raise DataError(f"{place} is not there. casa eval --out {place} writes logs into it.")
        names = [place.resolve().as_uri()] if place.is_file() else [info.name for info in list_eval_logs(str(place))]
        if not names:
            raise DataError(f"{place} holds no logs. casa eval --out {place} writes them.")
        found |= dict.fromkeys(names)
    return list(found)


def read_log(name: str, **options: Any) -> EvalLog:
    """One log; `options` are those of inspect-ai's `read_eval_log`.

    Raises:
        DataError: it is no log of inspect-ai.
    """
    from inspect_ai.log import read_eval_log

    try:
        return read_eval_log(name, **options)
    except Exception as error:  # whatever the parsers of inspect-ai raise
        raise DataError(f"{file_name(name)} is no log of inspect-ai ({type(error).__name__}); remove it") from error


def file_name(name: str) -> str:
    """The file at the end of a log's address."""
    return name.rpartition("/")[2]


def checksums(log: EvalLog) -> dict[str, str]:
    """What tells the model of a log from another of the same name; empty where it was not told."""
    return dict(log.eval.model_args.get("checksums") or {})


def model_name(log: EvalLog) -> str:
    """The model of a log as inspect-ai names it, with the arguments that change what it does."""
    arguments = {name: value for name, value in log.eval.model_args.items() if name not in _NO_SETTINGS}
    shown = ", ".join(f"{name}={value}" for name, value in sorted(arguments.items()))
    return one_line(f"{log.eval.model} [{shown}]" if shown else log.eval.model)


def modality(sample: EvalSample) -> str:
    """What a sample's conversation holds: "text" alone, or its media, such as "image" or "audio+image"."""
    messages = [] if isinstance(sample.input, str) else sample.input
    contents = [message.content for message in messages if not isinstance(message.content, str)]
    return "+".join(sorted({str(part.type) for content in contents for part in content} - {"text"})) or "text"


def benchmark_facts(log: EvalLog, file: str) -> dict[str, str]:
    """The "benchmark" of a log, what it "measures", and which "set" was asked.

    Raises:
        DataError: it is not of one of our benchmarks.
    """
    metadata = log.eval.metadata or {}
    if not metadata.keys() >= _REQUIRED:
        raise DataError(f"{file} is of {log.eval.task}, none of casa's benchmarks; logs of casa eval are needed")
    return {name: one_line(metadata[name]) for name in _REQUIRED}


def one_line(value: Any) -> str:
    """A name from a data set or a log without control characters and broken ones, which no format can hold."""
    return _CONTROLS.sub(" ", str(value)).encode(errors="replace").decode()
