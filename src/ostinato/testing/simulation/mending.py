"""People who mend runs: they pause, retry, skip and fork; all of it, or a step that they name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from ostinato.errors import ConflictError, InvalidInput, NotFoundError, Unloadable
from ostinato.testing.simulation.parts import Data, job, phase

if TYPE_CHECKING:
    from ostinato.testing.simulation.clients import Clients
    from ostinato.testing.simulation.world import World

GONE = (ConflictError, NotFoundError)

SPOILT: Data = {
    "workflow": "spoilt",
    "on_error": "finish",
    "phases": [
        phase(
            "one",
            job("a", "lost", retry=1),
            job("b", "lost", retry=1, undo="quick"),
            job("item", "lost", retry=1, each={"in": "input.items", "as": "item", "at_once": 2}),
            job("hung", "hang", timeout="300ms", retry=1),
            {"job": "values", "set": {"k": "${ 1 / 0 }"}},
        ),
        phase("two", job("end", "quick"), {"job": "more", "set": {"k": "${ vars.k }"}}),
    ],
}
"""Much of it fails, and somebody mends it."""

SPOILS = (996, 997)
"""Its runs."""

NAMED = ("retry one", "skip one")
"""What is asked for one step."""

INPUTS = (UNSET, UNSET, {"n": 7}, [7], "text")
OUTPUTS = (None, 7, [7], {"n": 7})

LOST = ("failed", "cancelled", "waiting")
"""The steps that somebody wants done once more."""


class Mending:
    """``named``: runs of which somebody has named a step, so that others may wait for repair."""

    def __init__(self, world: World, clients: Clients) -> None:
        self._chance = world.chance
        self._clients = clients
        self.named: set[str] = set()

    async def mend(self, run_id: str, how: str) -> None:
        if how == "fork":
            await self._clients.allowed(partial(self._fork, run_id), *GONE)
        if how in NAMED:
            self.named.add(run_id)
            await self._clients.allowed(partial(self._one, run_id, how), *GONE, InvalidInput)
        for verb in {"pause": ("pause", "resume"), "retry": ("retry",)}.get(how, ()):
            await self._clients.allowed(_asks(verb, run_id), *GONE)
            await asyncio.sleep(self._chance.random())

    async def _fork(self, run_id: str, app: Any) -> None:
        """From what failed, or from any of its steps."""
        with suppress(Unloadable):
            keys = [job.key for job in (await app.run_view(run_id)).jobs]
            await app.fork(run_id, self._chance.choice(["", *keys[1:]]), by="client")

    async def _one(self, run_id: str, how: str, app: Any) -> None:
        """One of its steps, and mostly one of which it makes sense."""
        with suppress(Unloadable):
            jobs = (await app.run_view(run_id)).jobs
            keys = [job.key for job in jobs if job.status in LOST] or [job.key for job in jobs]
            if not keys:
                return
            key = self._chance.choice(keys)
            if how == "retry one":
                await app.retry(run_id, key, input=self._chance.choice(INPUTS), by="client")
                return
            output, done = self._chance.choice(OUTPUTS), self._chance.random() < 0.5
            await app.skip(run_id, key, output=output, done=done, by="client")

    async def resume(self, run_id: str) -> None:
        await self._clients.allowed(_asks("resume", run_id), *GONE)

    async def repair(self, run_id: str) -> None:
        """A person skips whatever waits for one, until nothing does."""
        while found := await self._clients.until_answered(partial(_broken, run_id)):
            for key in found:
                await self.skip(run_id, key)

    async def skip(self, run_id: str, key: str) -> None:
        await self._clients.allowed(partial(_skip, run_id, key), ConflictError)


async def _broken(run_id: str, app: Any) -> list[str]:
    return [wait.key for wait in (await app.run_view(run_id)).waits if wait.kind == "repair"]


async def _skip(run_id: str, key: str, app: Any) -> None:
    await app.skip(run_id, key, by="client")


def _asks(verb: str, run_id: str) -> Callable[[Any], Awaitable[Any]]:
    async def serve(app: Any) -> None:
        with suppress(Unloadable):  # a person does not ask that again and again
            await getattr(app, verb)(run_id, by="client")

    return serve
