"""A worker: it takes jobs from a server's desk, runs their handlers here, and hands them in.

The executor is the engine's own, so a handler cannot tell where it runs: injection, ``Fail``,
``Retry``, ``Later``, time-outs, cancellation and threads are the same. Secrets are those of the
worker's own settings. What a server does not hear, because it is away, is said again until it does.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ostinato.core import events as e
from ostinato.errors import (
    ConflictError,
    InvalidInput,
    NotFoundError,
    NothingIsRunning,
)
from ostinato.runtime.attempt import Key
from ostinato.runtime.desk import Broken, Desk, Done, Extend, Failed, Fetch, Handed, Release, Wanted
from ostinato.runtime.executor import Executor
from ostinato.runtime.handlers import Handlers
from ostinato.runtime.hands import Hand
from ostinato.runtime.reports import failure_from
from ostinato.telemetry.logger import logger

log = logger("ostinato.worker")

WAIT = 20_000
"""ms that a server may take until it says that there is nothing."""

FIRST, LONGEST = 0.05, 5.0
"""Seconds until a server that is away is asked again: ever longer, up to this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """``topics``: at most so many jobs of each at once, ``most`` of all. ``lease`` is in ms: who
    is not heard of for so long loses its jobs. ``drain`` is in seconds; ``result`` in bytes.
    """

    name: str
    topics: Mapping[str, int]
    most: int
    lease: int = 30_000
    drain: float = 30.0
    result: int = 5_000_000
    version: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


class Worker:
    """``run`` it until ``stop``. ``chance`` spreads those who wait for the same server."""

    def __init__(
        self,
        desk: Desk,
        handlers: Handlers,
        manner: Manner,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.manner = manner
        self.done = Counter[str]()
        self.executor = Executor(
            handlers,
            self._report,
            slots=manner.most,
            threads=manner.most,
            result=manner.result,
            secrets=manner.secrets,
        )
        self._desk = desk
        self._chance = chance
        self._hands: dict[Key, Hand] = {}
        self._asked = Counter[str]()
        self._room = asyncio.Event()
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """Take nothing more; what is at work may end within ``drain``. Safe to repeat."""
        self._stopping.set()

    async def run(self) -> None:
        """Raises ``ProtocolMismatch``, and what else asking again cannot mend."""
        fetching = asyncio.create_task(self._fetch_on(), name="ostinato-fetch")
        beating = asyncio.create_task(self._beat_on(), name="ostinato-beat")
        stopping = asyncio.create_task(self._stopping.wait(), name="ostinato-stop")
        try:
            await asyncio.wait({fetching, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stopping.set()
            stopping.cancel()
            fetching.cancel()
            (failed,) = await asyncio.gather(fetching, return_exceptions=True)
            await self._leave()
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            await self._desk.close()
        if isinstance(failed, Exception):
            raise failed

    # taking jobs

    async def _fetch_on(self) -> None:
        pause = FIRST
        while True:
            wanted = self._wanted()
            if not wanted:
                self._room.clear()
                await self._room.wait()
                continue
            self._asked.update({one.topic: one.max for one in wanted})
            try:
                self._take(await self._desk.fetch(self._ask(wanted, WAIT)))
                pause = FIRST
            except NothingIsRunning as error:
                log.warning("server.away", error=str(error), again=round(pause, 1))
                await asyncio.sleep(pause * (0.5 + self._chance()))
                pause = min(LONGEST, pause * 2)
            finally:
                self._asked.clear()

    def _wanted(self) -> list[Wanted]:
        """What there is room for beside what is in hand: the long poll asks for it."""
        held = Counter(hand.job.topic for hand in self._hands.values())
        left = self.manner.most - held.total()
        wanted = [
            Wanted(topic, min(left, most - held[topic]))
            for topic, most in self.manner.topics.items()
        ]
        return [one for one in wanted if one.max > 0]

    def _next(self, hand: Hand) -> Fetch | None:
        """One more in the place of this one, if the long poll does not ask for it already."""
        if self._stopping.is_set():
            return None
        held = Counter(one.job.topic for one in self._hands.values() if one is not hand)
        wanted = [
            Wanted(topic, 1)
            for topic, most in self.manner.topics.items()
            if held[topic] + self._asked[topic] < most
        ]
        return self._ask(wanted, 0) if wanted else None

    def _ask(self, wanted: Sequence[Wanted], wait: int) -> Fetch:
        manner = self.manner
        return Fetch(
            topics=list(wanted),
            worker=manner.name,
            max=max(one.max for one in wanted),
            lease=manner.lease,
            wait=wait,
            version=manner.version,
        )

    def _take(self, jobs: Sequence[Handed]) -> None:
        loop = asyncio.get_running_loop()
        hands = [Hand(job, loop.time()) for job in jobs]
        for hand in hands:
            if (before := self._hands.get(hand.key)) is not None:  # its lease was over meanwhile
                self._lose(before)
            self._hands[hand.key] = hand
        self.executor.dispatch([(hand, hand.command) for hand in hands])

    # handing them in

    def _report(self, run_id: str, event: e.Event) -> None:
        if not isinstance(event, SAID):
            return
        hand = self._hands.get((run_id, event.key, event.attempt))
        if hand is None or hand.over:
            return
        if isinstance(event, e.Heard):
            self._begin(self._beat(hand, beat=True))
        else:
            hand.over = True
            self._begin(self._hand_in(hand, event))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="ostinato-hand")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _hand_in(self, hand: Hand, event: e.Event) -> None:
        """Said until it is heard. Of two answers to the same the second is that it is over."""
        pause, found = FIRST, list[Handed]()
        try:
            while True:
                try:
                    found = await self._say(hand, event)
                except NothingIsRunning as error:
                    log.warning("server.away", error=str(error), again=round(pause, 1))
                    await asyncio.sleep(pause * (0.5 + self._chance()))
                    pause = min(LONGEST, pause * 2)
                except (ConflictError, NotFoundError) as error:
                    log.warning("job.refused", job=hand.job.id, error=str(error))
                    break
                except InvalidInput as error:
                    refused = failure_from(error.code, str(error))
                    event = e.Failed(*hand.key[1:], refused, final=True)
                else:
                    self.done["failed" if isinstance(event, e.Failed) else "done"] += 1
                    break
        finally:
            self._drop(hand)
        if found:
            self._take(found)

    async def _say(self, hand: Hand, event: e.Event) -> list[Handed]:
        job, desk, more = hand.job, self._desk, self._next(hand)
        match event:
            case e.Completed(output=output):
                return await desk.complete(job.id, Done(job.token, output, fetch=more))
            case e.Deferred():
                return await desk.complete(job.id, Done(job.token, later=True, fetch=more))
            case e.Failed(error=error, final=final, after=after):
                told = Failed(error.name, error.message)
                broken = Broken(job.token, told, retry=not final, after=after, fetch=more)
                return await desk.fail(job.id, broken)
            case e.Stopped():
                told = Failed("Cancelled", "its handler has stopped as it was asked to")
                return await desk.fail(job.id, Broken(job.token, told, fetch=more))
        await desk.release(job.id, Release(job.token))
        return []

    def _drop(self, hand: Hand) -> None:
        if self._hands.get(hand.key) is hand:
            del self._hands[hand.key]
        self._room.set()

    def _lose(self, hand: Hand) -> None:
        """It is another's by now."""
        self.executor.abandon(*hand.key)
        self._drop(hand)

    # holding them

    async def _beat_on(self) -> None:
        while True:
            await asyncio.sleep(self.manner.lease / 3_000)
            await asyncio.gather(*(self._beat(hand) for hand in list(self._hands.values())))

    async def _beat(self, hand: Hand, *, beat: bool = False) -> None:
        extend = Extend(hand.job.token, self.manner.lease, beat)
        try:
            cancelled = await self._desk.extend(hand.job.id, extend)
        except (ConflictError, NotFoundError) as error:
            if not hand.over:
                log.warning("lease.lost", job=hand.job.id, error=str(error))
                self._lose(hand)
        except NothingIsRunning:
            return  # the next beat tells it
        else:
            hand.since = asyncio.get_running_loop().time()
            if cancelled and not hand.over:
                self.executor.stop_job(*hand.key)

    # leaving

    async def _leave(self) -> None:
        begun = set(self.executor.cut_off())
        waiting = [hand for key, hand in self._hands.items() if key not in begun and not hand.over]
        for hand in waiting:
            self._give_back(hand)
        await self.executor.drain(self.manner.drain)
        await self.executor.close()
        for hand in list(self._hands.values()):
            if not hand.over:
                self._give_back(hand)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self.manner.drain)
        for task in list(self._tasks):
            task.cancel()

    def _give_back(self, hand: Hand) -> None:
        hand.over = True
        self._begin(self._hand_in(hand, e.HandedOver(*hand.key[1:])))


SAID = (e.Completed, e.Failed, e.Deferred, e.Stopped, e.HandedOver, e.Heard)
"""What the executor says that a server has to know."""
