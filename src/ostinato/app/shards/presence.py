"""Whether one store of a set answers: found out while somebody waits for it, and only then.

A store itself is patient, as a server that starts anew is back soon. Whoever asks a set need not
be: the others go on. So who has waited for a moment has the store asked for next to nothing; when
that is not answered either, the store is away, and all who wait for it are told. It is asked on
until it answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from ostinato.errors import StoreError
from ostinato.telemetry.logger import logger

log = logger("ostinato.shards")

KNOWN_WITHIN = 2.0
"""Seconds in which it is known that a store is away, at most; who asks later is told at once."""

PATIENCE = 0.5
"""Seconds for which somebody waits before the store is asked; for so long an answer counts, too."""

HASTE = 0.25
"""Seconds for which one waits that can go to another store as well."""

PAUSE = 0.5

TURNS = 10
"""Of the loop, in which an answer is taken in that came while somebody held it up."""


class Away(StoreError):
    """It does not answer."""


class Presence:
    """Of the store with this ``name``; ``ask`` is a small read of it. ``on_away`` is called again
    and again while it is away, ``on_back`` when it is there again. It begins with ``watch``, and
    ends with ``close``.
    """

    def __init__(
        self,
        name: str,
        ask: Callable[[], Awaitable[object]],
        on_away: Callable[[], None],
        on_back: Callable[[], None],
    ) -> None:
        self.name = name
        self._ask = ask
        self._on_away = on_away
        self._on_back = on_back
        self.away: Away | None = None
        self._watches = False
        self._waiting: dict[asyncio.Timeout, float] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None
        self._heard = float("-inf")
        self._knows = asyncio.Event()

    def watch(self) -> None:
        self._watches = True

    def close(self) -> None:
        self._watches, self.away = False, None
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._looking is not None:
            self._looking.cancel()

    @asynccontextmanager
    async def needed(self) -> AsyncIterator[None]:
        """For as long as somebody waits for it. Raises ``Away``."""
        if self.away is not None:
            raise self._told()
        if not self._watches:
            yield
            return
        scope = asyncio.timeout(None)
        try:
            async with scope:
                self._waiting[scope] = asyncio.get_running_loop().time()
                self._set_alarm()
                try:
                    yield
                finally:
                    del self._waiting[scope]
        except TimeoutError:
            if not scope.expired():  # what was done has taken too long, and says so
                raise
            raise self._told() from None

    def _told(self) -> Away:
        return Away("it does not answer" if self.away is None else str(self.away))

    async def answers(self) -> bool:
        """Whether it is there, as far as can be told in a moment."""
        if not self._watches:
            return True
        if self.away is not None:
            return False
        if asyncio.get_running_loop().time() - self._heard < PATIENCE:
            return True
        self.look()
        with suppress(TimeoutError):
            async with asyncio.timeout(HASTE):
                await self._knows.wait()
        await _turns(self._knows.is_set)
        return self._knows.is_set() and self.away is None

    def look(self) -> None:
        """Find out."""
        if self._watches and self._looking is None:
            self._knows.clear()
            self._looking = asyncio.create_task(self._look(), name="ostinato-presence")
            self._looking.add_done_callback(self._looked)

    def _looked(self, task: asyncio.Task[None]) -> None:
        self._looking = None
        self._knows.set()

    def _set_alarm(self) -> None:
        if self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_later(PATIENCE, self._alarmed)

    def _alarmed(self) -> None:
        self._alarm = None
        if self._waiting:
            now, longest = asyncio.get_running_loop().time(), next(iter(self._waiting.values()))
            if now - max(longest, self._heard) >= PATIENCE:
                self.look()
            self._set_alarm()

    async def _look(self) -> None:
        """Until it answers."""
        asked = asyncio.ensure_future(self._ask())
        try:
            while not await self._heard_of(asked):
                self._on_away()
                await asyncio.sleep(PAUSE)
                if asked.done():
                    asked = asyncio.ensure_future(self._ask())
        finally:
            asked.cancel()
        if self.away is not None:
            self.away = None
            log.info("shard.back", store=self.name)
            self._on_back()
        self._heard = asyncio.get_running_loop().time()

    async def _heard_of(self, asked: asyncio.Future[object]) -> bool:
        await asyncio.wait([asked], timeout=KNOWN_WITHIN - 2 * PATIENCE)
        await _turns(asked.done)
        if not asked.done():
            self._gone("it does not answer")
            return False
        try:
            asked.result()
        except StoreError as error:
            self._gone(str(error))
            return False
        except Exception as error:  # what it says is another thing
            log.error("shard.not_read", error=str(error))
        return True

    def _gone(self, why: str) -> None:
        if self.away is None:
            self.away = Away(why)
            log.warning("shard.away", store=self.name, why=why)
        self._knows.set()
        for scope in self._waiting:
            if not scope.expired():
                scope.reschedule(0)


async def _turns(is_over: Callable[[], bool]) -> None:
    for _ in range(TURNS):
        if not is_over():
            await asyncio.sleep(0)
