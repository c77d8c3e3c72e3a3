"""How much more is taken: posts and jobs that wait for their turn are bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ostinato.errors import Busy
from ostinato.runtime.bounds import NEAR
from ostinato.runtime.engine import Engine
from ostinato.runtime.executor import Executor
from ostinato.runtime.slots import AT_WORK
from ostinato.telemetry.logger import logger

log = logger("ostinato.service")


class Headroom:
    """``most`` may wait; ``over`` says whether nobody need wait any more, because all ends."""

    def __init__(
        self, engine: Engine, executor: Executor, most: int, over: Callable[[], bool]
    ) -> None:
        self._engine = engine
        self._executor = executor
        self._most = most
        self._over = over
        self._free = asyncio.Event()
        self._near = False

    @property
    def load(self) -> int:
        """Posts and jobs that wait for their turn."""
        return len(self._engine) + len(self._executor)

    def is_left(self) -> bool:
        return self.load < self._most

    @property
    def left(self) -> int:
        """For so many more; one may always try."""
        return max(1, self._most - self.load)

    def check(self) -> None:
        """Raises ``Busy``."""
        self._warn_when_near()
        if not self.is_left():
            raise Busy(
                f"{self.load:,} jobs are ready and none can start yet (the limit is "
                f"{self._most:,}); try again in a second, or raise limits.ready"
            )

    async def wait(self) -> None:
        if AT_WORK.get():  # its slot would never be free for what it waits for
            return
        self._warn_when_near()
        while not self.is_left() and not self._over():
            self._free.clear()
            await self._free.wait()

    def look(self) -> None:
        """There may be some again."""
        if not self._free.is_set() and self.is_left():
            self._free.set()

    def let_go(self) -> None:
        """Whoever waits is told that it is over."""
        self._free.set()

    def _warn_when_near(self) -> None:
        """Once for each time that it fills."""
        if (near := self.load >= NEAR * self._most) and not self._near:
            log.warning("limit.near", what="ready jobs", count=self.load, setting="limits.ready")
        self._near = near
