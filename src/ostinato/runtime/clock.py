"""The time of this machine, or of the store."""

from __future__ import annotations

import time

from ostinato.runtime.lease import Steady, steady


class SystemClock:
    def now(self) -> int:
        return time.time_ns() // 1_000_000


class StoreClock:
    """That of a store which others share: what one process has timed, another may find due.

    Between two looks at the store it goes on by a clock of its own that nobody sets.
    """

    def __init__(self, steady: Steady = steady) -> None:
        self._steady = steady
        self._offset = SystemClock().now() - self._steady() * 1000

    def now(self) -> int:
        return round(self._steady() * 1000 + self._offset)

    def hear(self, now: int) -> None:
        """The store says what time it is (ms)."""
        self._offset = now - self._steady() * 1000
