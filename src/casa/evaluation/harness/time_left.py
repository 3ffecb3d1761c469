"""How long a run will still take: inspect-ai's displays tell how long it has taken.

Import it once a model is made: inspect-ai announces hooks that are there before.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from inspect_ai.hooks import Hooks, RunStart, SampleEnd, TaskEnd, TaskStart, hooks
from inspect_ai.util import display_counter, display_type

_PAUSE_S = 15.0  # between two estimates
_running: Countdown | None = None


@dataclass(frozen=True)
class Work:
    """What one task of a run takes, in any unit that is the same for all tasks.

    Attributes:
        items: how many.
        each: of one of them.
    """

    items: int
    each: float


@dataclass
class Countdown:
    """Time left, as far as the work that is done tells of the work that is not.

    Attributes:
        work: of a task, by its name.
        first: items that must be done before anything is told; they end by the batch.
        tell: is given an estimate in seconds, now and then.
        clock: in seconds.
    """

    work: Mapping[str, Work]
    first: int
    tell: Callable[[float], None]
    clock: Callable[[], float] = time.monotonic
    _begun: float = 0.0
    _told: float = float("-inf")
    _done: float = 0.0
    _left: float = 0.0
    _items: int = 0
    _open: dict[str, tuple[str, float]] = field(default_factory=dict)

    def begin(self, tasks: Sequence[str]) -> None:
        """A run of some tasks, each by its name as often as models do it."""
        self._begun, self._done, self._items = self.clock(), 0.0, 0
        self._left = sum(self._of(name) for name in tasks)

    def begin_task(self, key: str, name: str) -> None:
        """One of them, which `key` tells from the others."""
        self._open[key] = name, self._of(name)

    def item(self, key: str) -> None:
        """An item of a task is done."""
        name, left = self._open[key]
        each = min(self.work[name].each, left)
        self._open[key] = name, left - each
        self._done, self._left, self._items = self._done + each, self._left - each, self._items + 1
        if self._items >= self.first:
            self._tell()

    def end_task(self, key: str) -> None:
        """A task is done; items that an earlier run had answered were not told of one by one."""
        self._left -= self._open.pop(key)[1]
        self._tell()

    def _of(self, name: str) -> float:
        return self.work[name].items * self.work[name].each

    def _tell(self) -> None:
        now = self.clock()
        if self._done and now - self._told >= _PAUSE_S:
            self._told = now
            self.tell((now - self._begun) * max(self._left, 0.0) / self._done)  # below 0 where a task is done again


@contextmanager
def time_left(work: Mapping[str, Work], first: int) -> Iterator[None]:
    """Shows how long the runs within the block will still take."""
    global _running
    _running = Countdown(work, first, show)
    try:
        yield
    finally:
        _running = None


def show(seconds: float) -> None:
    """Puts an estimate into inspect-ai's display, or on stderr where that has no room for it."""
    text = f"about {timedelta(seconds=round(seconds))}"
    if display_type() in ("full", "rich") and sys.stdout.isatty():
        display_counter("time left", text)
    elif display_type() != "none":
        print(f"time left: {text}", file=sys.stderr)


@hooks(name="casa_time_left", description="how long a run of casa eval will still take")
class TimeLeft(Hooks):
    """Counts what is done of the run under way."""

    def enabled(self) -> bool:
        """Only for runs of `casa eval`."""
        return _running is not None

    async def on_run_start(self, data: RunStart) -> None:
        """See `Countdown.begin`."""
        assert _running
        _running.begin([_name(task) for task in data.task_names])

    async def on_task_start(self, data: TaskStart) -> None:
        """See `Countdown.begin_task`."""
        assert _running
        _running.begin_task(data.eval_id, _name(data.spec.task))

    async def on_sample_end(self, data: SampleEnd) -> None:
        """See `Countdown.item`."""
        assert _running
        _running.item(data.eval_id)

    async def on_task_end(self, data: TaskEnd) -> None:
        """See `Countdown.end_task`."""
        assert _running
        _running.end_task(data.eval_id)


def _name(task: str) -> str:
    """Of the benchmark that a task is of."""
    return task.rpartition("/")[2]
