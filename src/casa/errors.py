"""Errors that a user can act on; the command line prints them without a traceback."""

from __future__ import annotations


class CasaError(Exception):
    """Base of all errors raised on purpose by this library."""


class UnsafeStateError(CasaError, RuntimeError):
    """The safety decision cannot be trusted, so nothing is answered (fail closed)."""


class CheckpointError(CasaError, ValueError):
    """A CASA folder is incomplete, altered, or belongs to another base model."""


class MessageError(CasaError, ValueError):
    """A conversation is malformed, or holds something this model cannot take."""


class DataError(CasaError, ValueError):
    """A data file is malformed; the message names file and line."""


class MissingDependencyError(CasaError, ImportError):
    """An optional dependency is missing; the message holds the line that installs it."""


class SpeechError(CasaError, ValueError):
    """A text cannot be said, or a speech synthesizer failed."""
