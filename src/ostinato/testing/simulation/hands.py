"""Workers elsewhere: they take jobs, do them, fail, die, give back, and come back when it is late.

No crash of a process touches them: they ask the next one. What a worker does with a job is drawn
from the seed and its own name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw

from ostinato.app.elsewhere import Broken, Done, Extend, Fetch, Handed, Release
from ostinato.core.state import TAKEN_BACK
from ostinato.errors import ConflictError, NotFoundError
from ostinato.runtime.desk import Failed
from ostinato.testing.simulation.clients import AGAIN, Serve

if TYPE_CHECKING:
    from ostinato.testing.simulation.world import World

NAMES = ("w1", "w2", "w3")
TOPICS = ("far", "near")
LEASE = 1_000

FATES = ("quick",) * 8 + ("slow", "slow", "held", "held", "fails", "fails", "dies", "late", "back")


def said(token: str) -> str:
    """What whoever has a job by this token returns."""
    return f"far:{token}"


class Hands:
    """All of them, from the beginning to the end of the world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tasks: list[asyncio.Task[Any]] = []

    def begin(self) -> None:
        for name in NAMES:
            self._tasks.append(self._world.outside(Hand(self._world, name).work()))

    def end(self) -> None:
        for task in self._tasks:
            task.cancel()


class Hand:
    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name
        self._chance = Random(f"hands:{world.seed}:{name}")

    async def work(self) -> None:
        while True:
            jobs = await self._ask(lambda app: app.fetch_jobs(self._wish(self._chance.random())))
            self._take(jobs or ())
            if not jobs:
                await asyncio.sleep(0.01 + self._chance.random() * 0.1)

    def _wish(self, wait: float) -> Fetch:
        topics = self._chance.sample(TOPICS, self._chance.choice((1, 2, 2)))
        most = self._chance.choice((1, 1, 3))
        return Fetch([*topics], self._name, most, LEASE, round(wait * 600))

    def _take(self, jobs: Sequence[Handed]) -> None:
        for job in jobs:
            self._world.outside(self._do(job))

    async def _ask(self, serve: Serve) -> Any:
        """None when nobody answers."""
        process = await self._world.serving()
        try:
            return await process.ask(serve)
        except AGAIN:
            await asyncio.sleep(0.01 + self._chance.random() * 0.2)
            return None

    async def _say(self, serve: Serve) -> Any:
        """Until it is answered; None when the job is not its own any more."""
        while True:
            process = await self._world.serving()
            try:
                return await process.ask(serve)
            except (ConflictError, NotFoundError) as error:
                if isinstance(error, AGAIN):
                    continue
                return None
            except AGAIN:
                await asyncio.sleep(0.01 + self._chance.random() * 0.2)

    async def _do(self, job: Handed) -> None:
        fate = "quick" if self._world.is_calm else self._chance.choice(FATES)
        if fate == "fails" and job.key.endswith(TAKEN_BACK):  # that would be for a person to mend
            fate = "back"
        self._world.trace("hands", f"{self._name} {fate} {job.run_id[-6:]} {job.key}")
        self._world.handled[f"hands {fate}"] += 1
        await asyncio.sleep(self._chance.choice((0, 0, 0.01, 0.3)))
        match fate:
            case "slow":
                await asyncio.sleep(LEASE / 1000 * 0.9)
            case "late":
                await asyncio.sleep(LEASE / 1000 * (1 + self._chance.random() * 3))
            case "held" if not await self._hold(job):
                return
            case "fails":
                broken = Broken(job.token, Failed("Far", "no luck"), retry=True)
                await self._say(lambda app: app.fail_job(job.id, broken))
                return
            case "back":
                await self._say(lambda app: app.release_job(job.id, Release(job.token)))
                return
            case "dies":
                return
        await self._complete(job)

    async def _complete(self, job: Handed) -> None:
        more = self._wish(0) if self._chance.random() < 0.5 else None
        done = Done(job.token, Raw(msgspec.json.encode(said(job.token))), fetch=more)
        self._take(await self._say(lambda app: app.complete_job(job.id, done)) or ())

    async def _hold(self, job: Handed) -> bool:
        """Whether it is wanted after all that time."""
        for _ in range(4):
            await asyncio.sleep(LEASE / 1000 * 0.6)
            told = self._world.ledger.claims.is_cancelled(job.id, job.token)
            extend = Extend(job.token, LEASE, beat=True)
            stop = await self._say(lambda app: app.extend_job(job.id, extend))  # noqa: B023
            if stop is False and told:
                self._world.ledger.breaks("job.untold", f"{job.key} goes on", job.run_id)
            if stop is not False:
                broken = Broken(job.token, Failed("Stopped", "as asked"))
                await self._say(lambda app: app.fail_job(job.id, broken))  # noqa: B023
                return False
        return True
