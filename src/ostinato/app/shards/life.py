"""The life of a set: its stores are opened together, or none is."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from ostinato.app.shards.deploying import Deploying
from ostinato.bus.memory import EVERY, MemoryBus
from ostinato.core.shards import Mark, Marks, grows, next_marks
from ostinato.errors import ConflictError, SettingsError
from ostinato.telemetry.logger import logger

log = logger("ostinato.shards")

PATIENCE = 20.0
"""Seconds in which another process that begins at the same time writes down what it has to."""

PAUSE = 0.1


class Living(Deploying):
    async def open(self, *, stand_by: bool = False) -> None:
        """Raises ``SettingsError`` for stores that are no set, before any of them is at work."""
        whole = self.whole
        whole._processes.prepare(whole.handlers.all())
        try:
            for number in range(len(self.parts)):
                await self.at(number, lambda part: part.storage.open())
            before = await self._marks()
            self._missing(before)
            for number in range(len(self.parts)):
                await self.at(number, lambda part: part.open(stand_by=stand_by))
            await self._write_down(before)
            await self._adopt()
        except BaseException:
            await self._close_parts(0)
            raise
        whole.bus = MemoryBus()
        await whole.bus.subscribe(EVERY, whole._from_bus)

    async def begin(self) -> None:
        for number in range(len(self.parts)):
            await self.at(number, lambda part: part.begin())
        await self._adopt()
        for presence in self.presences:
            presence.watch()
        self.whole._loop = asyncio.get_running_loop()

    async def close(self, drain: float | None = None) -> None:
        self.whole._loop = None
        for name in self.verbs:
            vars(self.whole).pop(name, None)
        await self._close_parts(drain)

    async def _close_parts(self, drain: float | None) -> None:
        """Each has its time for jobs at work, and all of them the same."""
        for presence in self.presences:
            presence.close()
        for task in self.catching_up:
            task.cancel()
        ends = (part.close(drain) for part in self.parts)
        failed = [
            error
            for error in await asyncio.gather(*ends, return_exceptions=True)
            if isinstance(error, BaseException)
        ]
        for part in self.parts:
            await part.storage.close()
        if failed:
            raise failed[0]

    @property
    def verbs(self) -> dict[str, Any]:
        """By name: what an app of several stores does in its own way."""
        names = (name for name in dir(type(self)) if not name.startswith("_"))
        own = (name for name in names if callable(getattr(type(self), name)))
        return {name: getattr(self, name) for name in own if hasattr(type(self.whole), name)}

    # what is written down

    async def _marks(self, before: Sequence[Marks] = ()) -> list[Marks]:
        """What was empty ``before`` counts as such: documents may be in it by now."""
        found = await self.all(lambda part: part.marks())
        empty = [one.empty for one in (before or found)]
        return [replace(one, empty=e) for one, e in zip(found, empty, strict=True)]

    def _missing(self, marks: list[Marks]) -> list[Mark]:
        return next_marks(marks, [part.name for part in self.parts], secrets.token_hex(8))

    async def _write_down(self, before: Sequence[Marks]) -> None:
        """Whoever leads a store writes into it; the others wait for that."""
        waited = 0.0
        while True:
            marks = await self._marks(before)
            steps = self._missing(marks)
            if not steps:
                break
            mine = [step for step in steps if self.parts[step.number].leads]
            if not mine:
                waited = await self._wait(waited)
                continue
            if (size := grows(marks)) and self.parts[0].leads:
                await self._refuse_growth(size)
            for number in {step.number for step in mine}:
                said = [step for step in mine if step.number == number]
                await self.parts[number].say(said, marks[number])
        self.counts = marks[0].counts
        self.counted.set()

    async def _wait(self, waited: float) -> float:
        if waited > PATIENCE:
            raise ConflictError(
                "other processes work on these stores, with fewer of them or on their own: stop "
                "them all, then start them with the longer list"
            )
        await asyncio.sleep(PAUSE)
        return waited + PAUSE

    async def _refuse_growth(self, before: int) -> None:
        """What is on its way was sent off when there were fewer."""
        if not self.parts[0].is_alone:
            raise ConflictError(
                f"other processes work on {self.named(0)} with fewer stores: stop them all, then "
                "start them with the longer list"
            )
        for number in range(before):
            if await self.parts[number].has_mail_out():
                raise SettingsError(
                    f"events of {self.named(number)} are on their way still: start once more with "
                    f"the {before} that there were, so that they arrive, then name the new one"
                )
