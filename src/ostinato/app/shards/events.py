"""Events of a set: one store is an event's home, the others have a copy where they need one.

Needed it is where a deployed workflow waits for its type, and where a run starts from it under a
key (a uid) that belongs there. Then the batch of its home holds word of it as well, on its way out:
whoever dies between the home and the others, that word brings the rest. All of it may come twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple

import msgspec
from msgspec import UNSET

from ostinato.app.orchestrator import App
from ostinato.app.shards.life import Living
from ostinato.app.shards.part import Part
from ostinato.core.cloudevents import Event
from ostinato.core.shards import event_key, homes, request_key, uid_key
from ostinato.errors import NothingIsRunning, StoreError, Unready, Unsent
from ostinato.ports import StoredEvent
from ostinato.runtime.bounds import check_size
from ostinato.runtime.inbox import Accepted
from ostinato.runtime.posts import Pair
from ostinato.runtime.shares import Share
from ostinato.telemetry.logger import logger

log = logger("ostinato.shards")

AWAY = (StoreError, NothingIsRunning, Unready)
"""What a store says that takes nothing now, or of which this process has no part yet."""


class Routed(NamedTuple):
    """``keys``: which store has the runs that it starts, by their key; ``others`` need it too."""

    event: Event
    home: int
    keys: dict[Pair, int]
    others: frozenset[int]

    @property
    def pair(self) -> Pair:
        return self.event.source, self.event.id


class Events(Living):
    def __init__(self, whole: App) -> None:
        super().__init__(whole)
        self._brings: dict[Pair, asyncio.Future[bool]] = {}

    async def accept(self, events: Sequence[Event], *, wait: bool = True) -> list[Accepted]:
        """Store events, with the runs they start: those of one store all or none."""
        limit = self.whole.settings.limits.event
        for event in events:
            check_size(f"event {event.id}", event.data, limit, "limits.event")
        routed = await asyncio.gather(*map(self._routed, events))
        for number in {one.home for one in routed}:
            await self.at(number, lambda part: part._room(wait))
        by_home = {one.home: [each for each in routed if each.home == one.home] for one in routed}
        found = await asyncio.gather(*(self._taken(*each) for each in by_home.items()))
        told = {id(one): answer for lot in found for one, answer in lot}
        return [told[id(one)] for one in routed]

    async def _taken(self, home: int, routed: list[Routed]) -> list[tuple[Routed, Accepted]]:
        """At home, then in the others. Who is away has it when it is back."""
        under_way = [one.pair for one in routed if one.others]
        brought: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._brings |= dict.fromkeys(under_way, brought)
        try:
            answers = await self._at_home(home, routed, goes_on=True)
            try:
                copies = await self._in_others(routed)
                brought.set_result(True)
            except AWAY as error:
                log.warning("event.delayed", error=str(error))
                copies = []  # who asks again reads what the others have of it, or is told to wait
        finally:
            for pair in under_way:
                self._brings.pop(pair, None)
            if not brought.done():
                brought.set_result(False)
        return [
            (one, await self._whole_answer(one, answer, copies))
            for one, answer in zip(routed, answers, strict=True)
        ]

    async def _deliver(self, events: Sequence[Event]) -> None:
        """What runs emit, and what others need as well. Raises while one of them is away."""
        await self.counted.wait()
        left: dict[Pair, Exception] = {}
        routed = list[Routed]()
        for event in events:
            if await self._is_brought(event):
                continue
            try:
                routed.append(await self._routed(event))
            except AWAY as error:
                left[event.source, event.id] = error
        for number in range(len(self.parts)):
            at_home = [one for one in routed if one.home == number]
            await self._try(left, at_home, partial(self._at_home, number, goes_on=False))
        for number in range(len(self.parts)):
            needed = [one for one in routed if number in one.others and one.pair not in left]
            await self._try(left, needed, partial(self._copied, number))
        if left:
            raise Unsent(str(next(iter(left.values()))), frozenset(left))

    async def _try(
        self,
        left: dict[Pair, Exception],
        routed: Sequence[Routed],
        bring: Callable[[Sequence[Routed]], Awaitable[object]],
    ) -> None:
        """A store that is away holds up none but its own."""
        if routed:
            try:
                await bring(routed)
            except AWAY as error:
                left |= dict.fromkeys([one.pair for one in routed], error)

    async def _is_brought(self, event: Event) -> bool:
        """By whoever gave it to this process."""
        brought = self._brings.get((event.source, event.id))
        return brought is not None and await asyncio.shield(brought)

    async def _at_home(
        self, number: int, routed: Sequence[Routed], *, goes_on: bool
    ) -> list[Accepted]:
        share = _share(number, routed, home=True)
        if goes_on:
            out = tuple(one.pair for one in routed if one.others)
            share = msgspec.structs.replace(share, goes_on=out)
        return await self.at(number, lambda part: part.take([one.event for one in routed], share))

    async def _in_others(self, routed: Sequence[Routed]) -> list[list[Accepted]]:
        copying = (self._copied(number, routed) for number in range(len(self.parts)))
        return list(await asyncio.gather(*copying))

    async def _copied(self, number: int, routed: Sequence[Routed]) -> list[Accepted]:
        needed = [one for one in routed if number in one.others]
        if not needed:
            return []
        share = _share(number, needed, home=False)
        events = [one.event for one in needed]
        return await self.at(number, lambda part: part.take(events, share))

    async def _whole_answer(
        self, one: Routed, answer: Accepted, copies: Sequence[Sequence[Accepted]]
    ) -> Accepted:
        """That of its home, and what the others add to it."""
        if answer.duplicate:  # perhaps of a time when others needed it
            return await self.whole_answer(one.event, one.home, answer)
        more = [
            each
            for lot in copies
            for each in lot
            if (each.source, each.id) == (answer.source, answer.id)
        ]
        return added(answer, more)

    async def whole_answer(self, event: Event, home: int, answer: Accepted) -> Accepted:
        pair = event.source, event.id

        async def known(part: Part) -> list[StoredEvent]:
            return list((await part.known([pair])).values())

        lots = await self.all(known)
        stored = [each for number, lot in enumerate(lots) if number != home for each in lot]
        return added(answer, [msgspec.json.decode(one.answer, type=Accepted) for one in stored])

    # where it goes

    async def _routed(self, event: Event) -> Routed:
        pair = event.source, event.id
        *older, home = homes(event_key(*pair), self.counts)
        for number in older:
            if await self._is_home(number, pair):  # before there were as many as there are
                return Routed(event, number, {}, frozenset())
        waits, keys = await self.at(home, lambda part: _keys_of(part, event))
        owners = dict(zip((key for key, _ in keys), [
            await self.key_home(key, uid=uid) for key, uid in keys
        ], strict=True))  # fmt: skip
        others = set(range(len(self.parts))) if waits else set(owners.values())
        return Routed(event, home, owners, frozenset(others - {home}))

    async def _is_home(self, number: int, pair: Pair) -> bool:
        """It was taken there as its home."""
        stored = (await self.at(number, lambda part: part.known([pair]))).get(pair)
        return stored is not None and not is_copy(stored)

    async def key_home(self, key: Pair, *, uid: bool) -> int:
        """Where its runs are: the oldest of its homes that knows one, else the newest."""
        name = uid_key(key[1]) if uid else request_key(*key)
        *older, home = homes(name, self.counts)
        for number in older:
            if await self.at(number, lambda part: part.knows(key, uid=uid)):
                return number
        return home


class _Kept(msgspec.Struct):
    copied: bool = False


def is_copy(stored: StoredEvent) -> bool:
    return msgspec.json.decode(stored.answer or b"{}", type=_Kept).copied


def _share(number: int, routed: Sequence[Routed], *, home: bool) -> Share:
    here, there = set[Pair](), set[Pair]()
    for one in routed:
        for key, owner in one.keys.items():
            (here if owner == number else there).add(key)
    return Share(home, tuple(sorted(here)), tuple(sorted(there)))


async def _keys_of(part: Part, event: Event) -> tuple[bool, list[tuple[Pair, bool]]]:
    return part.keys_of(event)


def added(answer: Accepted, others: Sequence[Accepted]) -> Accepted:
    """One answer of several: the first one's runs come first."""
    runs, joined = list(answer.runs), list(answer.joined or ())
    dead = list(answer.dead_letters or ())
    for one in others:
        runs += [run for run in one.runs if run not in runs]
        joined += [run for run in one.joined or () if run not in joined]
        dead += [each for each in one.dead_letters or () if each not in dead]
    return Accepted(
        id=answer.id,
        source=answer.source,
        runs=runs,
        duplicate=answer.duplicate,
        dead_letters=dead or UNSET,
        joined=joined or UNSET,
    )
