"""How long to wait before something that failed is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SILENT = 30.0
"""Seconds after which it is said that a bus does not answer."""


@contextmanager
def unless_silent(say: Callable[[str], None]) -> Iterator[None]:
    """Say so when what is waited for here takes very long; it is waited for all the same: whoever
    calls again what hangs has it hang twice."""
    why = f"it has not answered for {SILENT:g} s, and is waited for"
    timer = asyncio.get_running_loop().call_later(SILENT, say, why)
    try:
        yield
    finally:
        timer.cancel()


class Patience:
    """Seconds: ``first``, then twice as long each time, ``most`` at last."""

    def __init__(self, first: float = 1.0, most: float = 30.0) -> None:
        self.first = first
        self.most = most
        self._next = first

    def lose(self) -> float:
        """It failed: how long to wait now."""
        now, self._next = self._next, min(self.most, self._next * 2)
        return now

    def regain(self) -> None:
        """It worked."""
        self._next = self.first

    @property
    def whole(self) -> bool:
        """Whether nothing has failed since it last worked."""
        return self._next == self.first
