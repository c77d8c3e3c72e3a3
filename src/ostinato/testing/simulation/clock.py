"""The wall clock: it goes with the loop's time, and can be set, as machines' clocks are."""

from __future__ import annotations

from ostinato.testing.simulation.loop import VirtualLoop

NOON = 1_800_000_000_000


class WallClock:
    """``offset`` is in ms. What waits by the loop's time does not notice when it changes.

    ``latest`` is the latest time that anybody was told.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.offset = 0
        self.latest = 0

    def now(self) -> int:
        now = NOON + round(self._loop.time() * 1000) + self.offset
        self.latest = max(self.latest, now)
        return now
