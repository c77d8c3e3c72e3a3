"""How long what is ready waits for its turn: a timer is set, and seen how late it comes.

Nothing is set while nothing is at work: an idle engine sleeps.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from ostinato.telemetry.logger import logger

log = logger("ostinato.loop")

BUSY = 0.05
"""Seconds between two looks while the engine turns."""

WAITING = 0.25
"""Seconds between two looks while it waits for handlers, which may hold up the loop at any time."""

KEPT = 1_000
"""Looks that count: the last minute of work, or the last minutes of waiting."""

LATE = 1.0
"""Seconds from which on the log tells."""


class LoopLag:
    """``at_work`` says whether handlers are."""

    def __init__(self, at_work: Callable[[], object]) -> None:
        self._at_work = at_work
        self._seen: deque[float] = deque(maxlen=KEPT)
        self._timer: asyncio.TimerHandle | None = None

    def look(self) -> None:
        """The engine turns."""
        if self._timer is None:
            self._set(BUSY)

    def _set(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, self._came)

    def _came(self) -> None:
        if self._timer is None:
            return
        late = max(0.0, asyncio.get_running_loop().time() - self._timer.when())
        self._timer = None
        self._seen.append(late)
        if late >= LATE:
            hint = "a handler computes on the loop, or in C code without letting go: process=True?"
            log.warning("loop.late", seconds=round(late, 3), hint=hint)
        if self._at_work():
            self._set(WAITING)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def milliseconds(self) -> dict[str, float]:
        """Half of the looks that count were not later than p50, 99 of 100 not than p99."""
        seen = sorted(self._seen) or [0.0]
        places = {"p50": len(seen) // 2, "p99": len(seen) * 99 // 100, "max": len(seen) - 1}
        return {name: round(seen[place] * 1000, 3) for name, place in places.items()}
