"""Partitions that are taken up, or let go: between two ticks, when memory and store agree."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from ostinato.core.run_ids import HUB, PARTITIONS
from ostinato.errors import Unready
from ostinato.ports import Partitions, Taken
from ostinato.runtime.mailroom import unsaid_by
from ostinato.runtime.posts import told_of
from ostinato.runtime.takeover import take_over

if TYPE_CHECKING:
    from ostinato.runtime.service import Service

T = TypeVar("T")

Come = tuple[Taken, asyncio.Future[None]]
Go = tuple[int, asyncio.Future[Partitions]]


class Moves:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._coming: deque[Come] = deque()
        self._going: deque[Go] = deque()

    def __bool__(self) -> bool:
        return bool(self._coming or self._going)

    async def take(self, taken: Taken) -> None:
        """Returns when the runs in these partitions go on here."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._coming.append((taken, done))
        self._service.engine.wake.set()
        await done

    async def give(self, count: int) -> Partitions:
        """So many partitions, or fewer, with which nothing is done here any more: none in which a
        job is at work or its end is not stored, and not the hub. What has begun ends where it
        began."""
        done: asyncio.Future[Partitions] = asyncio.get_running_loop().create_future()
        self._going.append((count, done))
        self._service.engine.wake.set()
        return await done

    async def run_once(self) -> int:
        """What fails comes again."""
        count = 0
        while self._coming:
            taken, done = self._coming[0]
            await self.settle(taken)
            self._coming.popleft()
            _tell(done, None)
            count += 1
        while self._going:
            most, told = self._going[0]
            given = self._idle(most)
            self._let_go(given)
            self._going.popleft()
            _tell(told, given)
            count += 1
        return count

    async def settle(self, taken: Taken) -> None:
        """Know what is stored of these; nobody else changes it by now."""
        service, partitions = self._service, taken.partitions
        service.engine.territory.take(partitions)
        if HUB in partitions:
            await service.lead()
        await self._know(partitions, orphans=taken.orphans)
        if taken.orphans and HUB not in partitions:
            service.limiter.far.recount(service.member)

    async def settle_all(self) -> None:
        """Of a store that nobody shares."""
        await self._service.lead()
        await self._know(None, orphans=True)

    async def _know(self, partitions: Partitions | None, *, orphans: bool) -> None:
        """What takes runs over comes last, as no read may fail behind it: it would come again, and
        count as one more death of each job."""
        service = self._service
        await service.limiter.refresh()
        await service.timers.refresh()
        await service.room.refresh(service.engine.territory.owned)  # who died may not have hinted
        await service.jobs.refresh(orphans=orphans)
        await take_over(service.engine, partitions, orphans=orphans)
        service.outbox.expect()
        service.distant.look()
        service.news.tell("taken")  # who watches these runs asks this process from now on
        service.schedules.moved()

    def _idle(self, most: int) -> Partitions:
        service, owned = self._service, self._service.engine.territory.owned or frozenset()
        queue = service.engine.queue
        busy = service.executor.at_work() | told_of(queue) | unsaid_by(queue) | {HUB}
        return frozenset([each for each in range(PARTITIONS) if each in owned - busy][:most])

    def _let_go(self, given: Partitions) -> None:
        service = self._service
        if given:
            service.engine.territory.give(given)
            service.engine.give(given)
            service.room.give(given)
            service.executor.give(given)
            service.engine.outlets.watching.give(given)
            service.schedules.moved()
            service.limiter.doubt()  # read again before it is asked: nothing here may fail

    def close(self) -> None:
        error = Unready("the engine has stopped meanwhile")
        waiting: list[asyncio.Future[Any]] = [done for _, done in self._coming]
        waiting += [done for _, done in self._going]
        for one in waiting:
            if not one.done():
                one.set_exception(error)


def _tell(done: asyncio.Future[T], result: T) -> None:
    if not done.done():
        done.set_result(result)
