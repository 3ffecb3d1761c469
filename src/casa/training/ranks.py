"""Training on several ranks (`torchrun`, `accelerate launch`): who writes, and how results meet.

With one process the main one is the only one, nothing waits and nothing is sent.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TypeVar

from accelerate import PartialState
from accelerate.utils import gather_object

from casa.errors import CasaError

T = TypeVar("T")


def is_main() -> bool:
    """Whether this process writes files and speaks to people."""
    return bool(PartialState().is_main_process)


def number() -> tuple[int, int]:
    """This process's rank, and how many there are."""
    state = PartialState()
    return state.process_index, state.num_processes


def main_first() -> AbstractContextManager[None]:
    """The main process goes through the context alone; the others follow."""
    first: AbstractContextManager[None] = PartialState().main_process_first()
    return first


def wait() -> None:
    """Goes on once every rank is here."""
    PartialState().wait_for_everyone()


def from_all(found: T) -> list[T]:
    """What every rank has found, in their order; all must ask."""
    everything: list[T] = gather_object([found])
    return everything


def require_one(what: str) -> None:
    """Refuses several ranks.

    Raises:
        CasaError: there are several.
    """
    if (count := number()[1]) > 1:
        raise CasaError(f"{what} runs in one process, not in {count}; start it without torchrun or accelerate launch")
