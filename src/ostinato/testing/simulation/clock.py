"""The wall clock: it goes with the loop's time, and can be set, as machines' clocks are."""

from __future__ import annotations

from math import inf

from ostinato.testing.simulation.loop import VirtualLoop

NOON = 1_800_000_000_000


class WallClock:
    """``offset`` is in ms. What waits by the loop's time does not notice when it changes.

    ``latest`` is the latest time that anybody was told.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.offset = 0
        self._set_forward_at = -inf
        self.latest = 0

    def set(self, by: int) -> None:
        self.offset += by
        if by > 0:
            self._set_forward_at = self._loop.time()

    def was_set_forward(self, within: float) -> bool:
        """In the last so many seconds."""
        return self._loop.time() - self._set_forward_at < within

    def now(self) -> int:
        now = NOON + round(self._loop.time() * 1000) + self.offset
        self.latest = max(self.latest, now)
        return now
