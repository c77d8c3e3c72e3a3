"""The life of a set: its stores are opened together, or none is."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from ostinato.app.buses import BusView, Door
from ostinato.app.marks import refuse_fewer
from ostinato.app.shards.deploying import Deploying
from ostinato.bus.memory import EVERY, MemoryBus
from ostinato.core.cloudevents import Event
from ostinato.core.routes import OWN_NAME
from ostinato.core.shards import Mark, Marks, grows, next_marks, refuse_new
from ostinato.errors import ConflictError, SettingsError
from ostinato.ports import DeadLetter, Seat
from ostinato.runtime.service import Service
from ostinato.telemetry.logger import logger

log = logger("ostinato.shards")

PATIENCE = 20.0
"""Seconds in which another process that begins at the same time writes down what it has to."""

PAUSE = 0.1


class SetDoor(Door):
    """Events go where they belong; what belongs nowhere is the first store's."""

    def __init__(self, shards: Living) -> None:
        super().__init__(shards.whole)
        self._shards = shards

    async def at_work(self) -> int:
        """Room is waited for where an event belongs."""
        await self._shards.whole._at_work.wait()
        return self._shards.whole.settings.limits.ready

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        await self._shards.at(0, lambda part: part._door.bury(letters))

    async def send(self, events: Sequence[Event], bus: str) -> None:
        if bus == OWN_NAME:
            await self.accept(events)
        else:
            await self._shards.at(0, lambda part: part._door.send(events, bus))


class Living(Deploying):
    async def open(self, *, stand_by: bool = False, begins: bool = True, adds: bool = True) -> None:
        """Raises ``SettingsError`` for stores that are no set, before any of them is at work."""
        whole = self.whole
        whole._processes.prepare(whole.handlers.all())
        whole._connect()
        try:
            await self._come(begins, adds)
            before = await self._marks()
            self._missing(before)
            await self._refuse_mail(grows(before))
            for number in range(len(self.parts)):
                await self.at(number, lambda part: part.open(stand_by=stand_by))
            await self._write_down(before)
            await self._adopt()
        except BaseException:
            await self._close_parts(0)
            raise
        whole._door = SetDoor(self)
        whole.own = MemoryBus()
        await whole.own.subscribe(EVERY, whole._from_bus)

    async def begin(self) -> None:
        await self.go_on()
        self.whole._take_in()

    async def go_on(self) -> None:
        for number in range(len(self.parts)):
            await self.at(number, lambda part: part.go_on())
        await self._adopt()
        for presence in self.presences:
            presence.watch()
        self.whole._loop = asyncio.get_running_loop()
        self.whole._at_work.set()

    async def rest(self) -> None:
        await asyncio.gather(*(part.rest() for part in self.parts))

    async def close(self, drain: float | None = None) -> None:
        self.whole._loop = None
        await self.whole._take_no_more()
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

    def asyncapi(self) -> dict[str, Any]:
        return self.parts[0].asyncapi()

    async def buses(self) -> list[BusView]:
        waiting = Counter[str]()
        for lot in await self.all(lambda part: part.storage.backlog()):
            waiting += Counter(lot)
        views = self.whole._views(waiting)
        for view in views:
            troubles = (part._trouble_out(view.name) for part in self.parts)
            view.trouble = next(filter(None, troubles), "")
        return views

    @property
    def verbs(self) -> dict[str, Any]:
        """By name: what an app of several stores does in its own way."""
        names = (name for name in dir(type(self)) if not name.startswith("_"))
        own = (name for name in names if callable(getattr(type(self), name)))
        return {name: getattr(self, name) for name in own if hasattr(type(self.whole), name)}

    # who else is there

    async def _come(self, begins: bool, adds: bool) -> None:
        """Be at each store, and have nothing of it yet. The first one says whether this can be,
        before the others are touched."""
        stores, first = len(self.parts), Marks()
        for number in range(stores):
            await self.at(number, lambda part: part.storage.open())
            seats = await self.at(number, lambda part: part.announce())
            self._refuse_twice(number, seats)
            if number == 0:
                first = await self.at(0, lambda part: part.marks())
                refuse_new(first, stores, self.parts[0].name, begins=begins, adds=adds)
            if first.counts[-1:] != (stores,):
                self._refuse_fewer(number, [seat for seat in seats if not seat.late])

    def _refuse_twice(self, number: int, seats: Sequence[Seat]) -> None:
        here = {seat.id for seat in seats}
        for before in self.parts[:number]:
            if before.member in here:
                raise SettingsError(
                    f"{before.name} and {self.parts[number].name} are the same database under two "
                    "names: name each of them once"
                )

    def _refuse_fewer(self, number: int, seats: Sequence[Seat]) -> None:
        seat = self.parts[number].fewer(seats)
        if seat is not None:
            raise ConflictError(
                f"process {seat.id} at {seat.address} works on {self.named(number)} with "
                f"{seat.stores} of these stores: stop all that do, then start them with all "
                f"{len(self.parts)}. One that was killed is gone when its lease is over"
            )

    async def _check_set(self) -> None:
        first, count = self.parts[0], len(self.parts)
        try:
            await self.at(0, lambda part: refuse_fewer(part.storage, count, first.name))
        except SettingsError as error:
            for app in (self.whole, *self.parts):
                app._end(error)
            raise

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
            leading = self._leading()
            marks = await self._marks(before)
            steps = self._missing(marks)
            if not steps:
                break
            mine = [step for step in steps if step.number in leading]
            if not mine or await self._joined_by_fewer():
                waited = await self._wait(waited)
                continue
            if 0 in leading:
                await self._refuse_mail(grows(marks))
            for number in {step.number for step in mine}:
                said = [step for step in mine if step.number == number]
                await self.parts[number].say(said, marks[number], leading[number])
        self.counts = marks[0].counts
        self.counted.set()

    def _leading(self) -> dict[int, Service]:
        """What is written is refused when the store has buried this process since."""
        return {number: part.service for number, part in enumerate(self.parts) if part.leads}

    async def _joined_by_fewer(self) -> bool:
        """Whether somebody with a shorter list has taken partitions since; such a one finds this
        process, and lets them go."""
        seats = await self.all(lambda part: part.seats())
        found = (part.fewer(there) for part, there in zip(self.parts, seats, strict=True))
        return any(seat is not None for seat in found)

    async def _wait(self, waited: float) -> float:
        if waited > PATIENCE:
            raise ConflictError(
                "other processes work on these stores, with fewer of them or on their own: stop "
                "them all, then start them with the longer list"
            )
        await asyncio.sleep(PAUSE)
        return waited + PAUSE

    async def _refuse_mail(self, before: int) -> None:
        """What is on its way was sent off when there were so many."""
        for number in range(before):
            if await self.parts[number].has_mail_out():
                raise SettingsError(
                    f"events of {self.named(number)} are on their way still: start once more with "
                    f"the {before} that there were, so that they arrive, then name the new one"
                )
