"""How many conversations are let in at once, and when nobody is let in any more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from casa.serving.errors import APIError

_RETRY_AFTER_S = 2


class Admission:
    """Counts the conversations inside; beyond the limit, and once closed, there is an error at once instead of a wait.

    Args:
        limit: most conversations at once.

    Attributes:
        inside: conversations at the moment.
        closed: nobody is let in any more.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._empty = asyncio.Event()
        self._empty.set()
        self.inside = 0
        self.closed = False

    @contextmanager
    def places(self, count: int = 1, held: int = 0) -> Iterator[None]:
        """Holds places for some conversations of one request.

        Args:
            count: of places.
            held: places that the request has already.

        Raises:
            APIError: 400, 429 or 503.
        """
        if self.closed and not held:
            raise _busy(503, "the server is shutting down", "shutting_down")
        if held + count > self._limit:
            raise APIError(400, f"at most {self._limit} conversations are taken at once", "too_many_inputs", "input")
        if self.inside + count > self._limit:
            raise _busy(429, "the server is full; try again soon", "overloaded")
        self.inside += count
        self._empty.clear()
        try:
            yield
        finally:
            self.inside -= count
            if not self.inside:
                self._empty.set()

    def close(self) -> None:
        """Lets nobody in any more."""
        self.closed = True

    async def emptied(self) -> None:
        """Waits until nobody is inside."""
        await self._empty.wait()


def _busy(status: int, message: str, code: str) -> APIError:
    return APIError(status, message, code, headers={"retry-after": str(_RETRY_AFTER_S)})
