"""The time of this machine, or of the store."""

from __future__ import annotations

import time

from ostinato.ports import Storage
from ostinato.runtime.lease import Steady, steady

APART = 1_000
"""How far apart (ms) two processes may take the time of the store that they share.

Each hears it with every renewal of its lease, and goes on from there by a clock of its own:
milliseconds, as one answer of many that is not late is enough. What a look back finds too much by
this comes before the run, and the store knows the order; what it found too little would be lost.
"""


def apart(storage: Storage) -> int:
    """Where one process owns the store, there is one clock."""
    return 0 if storage.members is None else APART


class SystemClock:
    def now(self) -> int:
        return time.time_ns() // 1_000_000


class StoreClock:
    """That of a store which others share: what one process has timed, another may find due.

    Between two looks at the store it goes on by a clock of its own that nobody sets. An answer may
    be late, as on a disk that is slow: it says within which bounds the time is, and no more.
    """

    def __init__(self, steady: Steady = steady) -> None:
        self._steady = steady
        self._offset = SystemClock().now() - self._steady() * 1000
        self._has_heard = False

    def now(self) -> int:
        return round(self._steady() * 1000 + self._offset)

    def hear(self, now: int, asked: float) -> None:
        """The store says what time it was (ms) at some moment since it was ``asked`` (seconds, by
        the clock that nobody sets)."""
        earliest, latest = now - self._steady() * 1000, now - asked * 1000
        if not self._has_heard:
            self._has_heard, self._offset = True, earliest
        self._offset = min(max(self._offset, earliest), latest)
