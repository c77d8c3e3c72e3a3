"""Handlers: quick, slow, failing, odd, stubborn, and one that takes its process down.

What an attempt does is drawn from the seed, the run's number and the attempt: never from a stream
that others draw from too, so that a shorter plan changes as little as may be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec

from ostinato.app import App
from ostinato.errors import UsageError
from ostinato.runtime.handlers import Job
from ostinato.runtime.outcomes import Fail, Later, Retry
from ostinato.testing.simulation.store import POISON

if TYPE_CHECKING:
    from ostinato.testing.simulation.process import Process
    from ostinato.testing.simulation.world import World


NO_LUCK = "no luck of attempt "
"""How their errors begin."""

PANT = 0.1
"""Seconds between two signs of life."""


class Unspeakable(Exception):
    """It cannot even say what it is."""

    def __str__(self) -> str:
        raise ValueError("no words")


ODD: tuple[type[BaseException], ...] = (
    SystemExit, StopIteration, Unspeakable, KeyError, GeneratorExit, UsageError, MemoryError,
)  # fmt: skip


class Rest:
    """Work that goes on where it is awaited."""

    def __init__(self, done: Callable[[], str]) -> None:
        self._done = done

    def __await__(self) -> Generator[Any, Any, str]:
        yield from asyncio.sleep(0.02).__await__()
        return self._done()


class Workshop:
    """The handlers of one process."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process
        self._gate: asyncio.Future[None] | None = None

    def register(self, app: App, names: Iterable[str]) -> None:
        for name in names:
            app.handler(name, process=name == "apart")(getattr(self, name))

    def _begin(self, job: Job) -> Random:
        attempt = (job.run_id, job.key, job.attempt)
        owns = self._world.owns(self._process, attempt[0])
        self._world.ledger.begins(attempt, job.idempotency_key, self._process, owns=owns)
        self._world.trace("begins", f"{job.run_id[-6:]} {job.key} #{job.attempt}")
        number = job.input.get("n") if isinstance(job.input, dict) else None
        return Random(f"{self._world.seed}:{job.workflow}:{number}:{job.key}:{job.attempt}")

    async def _together(self) -> None:
        """All that wait here go on at once."""
        loop = self._world.loop
        if self._gate is None or self._gate.done():
            self._gate = loop.create_future()
            loop.call_later(0.01, self._gate.set_result, None)
        await asyncio.shield(self._gate)

    def _done(self, job: Job) -> str:
        """A result that no other attempt has."""
        said = f"did:{job.run_id[-6:]}:{job.key}:{job.attempt}:{self._process.number}"
        attempt = (job.run_id, job.key, job.attempt)
        self._world.ledger.returned[attempt] = msgspec.json.encode(said)
        return said

    async def work(self, job: Job, **_: Any) -> Any:
        chance = self._begin(job)
        await asyncio.sleep(chance.choice((0, 0, 0.002, 0.02, 0.2, chance.random() * 3)))
        return self._outcome(job, chance)

    def _outcome(self, job: Job, chance: Random) -> Any:
        luck = chance.random()
        if luck < 0.75:
            return self._done(job)
        self._world.handled["failed"] += 1
        if luck < 0.88:
            raise ConnectionError(f"{NO_LUCK}{job.attempt}")
        if luck < 0.91:
            return Retry(0.05)
        if luck < 0.94:
            raise chance.choice(ODD)("odd")
        if luck < 0.96:
            return object()
        if luck < 0.98:
            return "x" * 3_000
        raise Fail("never again (simulated)")

    async def steady(self, job: Job, **_: Any) -> Any:
        """Takes its time and never fails."""
        chance = self._begin(job)
        await asyncio.sleep(chance.choice((0.01, 1.5, 3)))
        self._world.ledger.ends((job.run_id, job.key, job.attempt), self._process)
        return self._done(job)

    async def quick(self, job: Job, **_: Any) -> Any:
        """Neither waits nor fails."""
        self._begin(job)
        return self._done(job)

    async def brief(self, job: Job, **_: Any) -> Any:
        """Is heard of in the same instant as ``unstorable``."""
        self._begin(job)
        await self._together()
        return self._done(job)

    async def slow(self, job: Job, **_: Any) -> Any:
        """Takes long enough to be met at work, and never fails."""
        self._begin(job)
        await asyncio.sleep(0.5)
        return self._done(job)

    async def lost(self, job: Job, **_: Any) -> Any:
        """Fails whenever it is called."""
        self._begin(job)
        raise ConnectionError(f"{NO_LUCK}{job.attempt}")

    def thread(self, job: Job, **_: Any) -> Any:
        chance = self._begin(job)
        self._world.loop.busy(chance.choice((0.001, 0.05, 1.5)))
        job.heartbeat()
        return self._outcome(job, chance)

    apart = thread
    """The same, and declared to run in a process."""

    def thread_then_loop(self, job: Job, **_: Any) -> Rest:
        """What it returns is awaited on the loop."""
        self._begin(job)
        self._world.loop.busy(0.01)
        return Rest(lambda: self._done(job))

    async def ask(self, job: Job, **_: Any) -> Any:
        self._begin(job)
        await asyncio.sleep(0.001)
        return Later()

    async def hang(self, job: Job, **_: Any) -> None:
        """Until it is stopped."""
        self._begin(job)
        self._world.handled["hung"] += 1
        await asyncio.sleep(1_000_000)

    async def stubborn(self, job: Job, **_: Any) -> Any:
        """Does not hear that it should stop."""
        chance = self._begin(job)
        for _turn in range(chance.choice((3, 40))):
            try:
                await asyncio.sleep(0.5)
            except asyncio.CancelledError:
                self._world.handled["stubborn"] += 1
        return self._done(job)

    async def faint(self, job: Job, **_: Any) -> Any:
        """Gives no sign of life, is given up, and fails when another attempt is at work."""
        self._begin(job)
        end = self._world.loop.time() + 0.7
        while (left := end - self._world.loop.time()) > 0:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(left)
        if job.attempt < 3:
            raise ConnectionError(f"{NO_LUCK}{job.attempt}")
        return Later()

    async def panting(self, job: Job, **_: Any) -> Any:
        """Gives its sign of life in the last moment, again and again."""
        self._begin(job)
        for _turn in range(20):
            job.heartbeat()
            await asyncio.sleep(PANT)
        return Later()

    async def cancelled(self, job: Job, **_: Any) -> None:
        """What it awaited was cancelled by somebody else."""
        self._begin(job)
        self._world.handled["cancelled"] += 1
        raise asyncio.CancelledError

    async def poison(self, job: Job, **_: Any) -> None:
        """Takes its process down each time."""
        self._begin(job)
        await asyncio.sleep(0.001)
        self._world.crash(self._process, "poison")
        await asyncio.sleep(1_000_000)

    async def unstorable(self, job: Job, **_: Any) -> str:
        """Its result is one that the store refuses."""
        self._begin(job)
        await self._together()
        return POISON.decode()


HANDLERS: tuple[str, ...] = (
    "work", "steady", "quick", "brief", "thread", "apart", "thread_then_loop", "ask", "hang",
    "stubborn", "slow", "lost", "faint", "panting", "cancelled", "poison", "unstorable",
)  # fmt: skip
