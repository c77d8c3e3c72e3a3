"""Events of a set: one store is an event's home, the others have a copy where they need one.

Needed it is where a deployed workflow waits for its type, and where a run starts from it under a
key (a uid) that belongs there. That is decided at home, once, when it is taken in: whoever brings
it again, with whatever in it, changes nothing. Then the batch of its home holds word of it as well,
on its way out: whoever dies between the home and the others, that word brings the rest. All of it
may come twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

import msgspec
from msgspec import UNSET

from ostinato.app.orchestrator import App
from ostinato.app.shards.life import Living
from ostinato.app.shards.part import Part
from ostinato.core.cloudevents import Event
from ostinato.core.shards import event_key, homes, request_key, uid_key
from ostinato.errors import NothingIsRunning, StoreError, Unready, Unsent, WorkflowNotFound
from ostinato.ports import StoredEvent
from ostinato.runtime.bounds import check_size
from ostinato.runtime.inbox import Accepted
from ostinato.runtime.posts import Pair
from ostinato.runtime.shares import Copy, Home, Settled
from ostinato.telemetry.logger import logger

T = TypeVar("T")

log = logger("ostinato.shards")

AWAY = (StoreError, NothingIsRunning, Unready, WorkflowNotFound)
"""What a store says that takes nothing now, of which this process has no part yet, or that has not
heard of a deployment."""

SOON = 60_000
"""Milliseconds after which a copy that is not there is left to the word on its way out."""


class Routed(NamedTuple):
    """``owners``: which store has the runs that it starts, by their key; ``others`` need it too."""

    event: Event
    home: int
    owners: dict[Pair, int]
    others: frozenset[int]

    @property
    def pair(self) -> Pair:
        return self.event.source, self.event.id

    def at_home(self, *, says: bool) -> Home:
        owners = tuple((first, second, store) for (first, second), store in self.owners.items())
        return Home(self.home, owners, tuple(sorted(self.others)), says)


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
            settled = await self._at_home(home, routed, says=True)
            late = self.parts[home].now() - SOON
            copies, away = await self._in_others([one for one in settled if one.at > late])
            brought.set_result(not away)
        finally:
            for pair in under_way:
                self._brings.pop(pair, None)
            if not brought.done():
                brought.set_result(False)
        for one in settled:
            if one.answer.duplicate and (missed := away.keys() & set(one.copies.stores)):
                raise away[min(missed)]  # what it was answered with is there
            if one.at <= late and one.copies.stores:
                copies += await self._known_copies(one)
        answers = [_whole_answer(one, copies) for one in settled]
        return list(zip(routed, answers, strict=True))

    async def _known_copies(self, one: Settled) -> list[Accepted]:
        """Of one that was taken in before: those that are still there."""
        pair = one.event.source, one.event.id
        reads = (self.at(number, lambda part: part.known([pair])) for number in one.copies.stores)
        stored = [each for lot in await asyncio.gather(*reads) for each in lot.values()]
        return [msgspec.json.decode(each.answer, type=Accepted) for each in stored]

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
        settled = list[Settled]()
        for number in range(len(self.parts)):
            at_home = [one for one in routed if one.home == number]
            bring = partial(self._at_home, number, at_home, says=False)
            settled += await self._try(left, [one.pair for one in at_home], bring) or []
        for number in range(len(self.parts)):
            needed = _for(number, settled)
            pairs = [(one.event.source, one.event.id) for one in needed]
            await self._try(left, pairs, partial(self._copied, number, needed))
        if left:
            raise Unsent(str(next(iter(left.values()))), frozenset(left))

    async def _try(
        self, left: dict[Pair, Exception], pairs: Sequence[Pair], bring: Callable[[], Awaitable[T]]
    ) -> T | None:
        """A store that is away holds up none but its own."""
        if pairs:
            try:
                return await bring()
            except AWAY as error:
                left |= dict.fromkeys(pairs, error)
        return None

    async def _is_brought(self, event: Event) -> bool:
        """By whoever gave it to this process."""
        brought = self._brings.get((event.source, event.id))
        return brought is not None and await asyncio.shield(brought)

    async def _at_home(self, number: int, routed: Sequence[Routed], *, says: bool) -> list[Settled]:
        shares = [one.at_home(says=says) for one in routed]
        return await self.at(number, lambda part: part.take([one.event for one in routed], shares))

    async def _in_others(
        self, settled: Sequence[Settled]
    ) -> tuple[list[Accepted], dict[int, Exception]]:
        """What they say, and which of them are away: they have it when they are back."""
        away: dict[int, Exception] = {}

        async def copied(number: int) -> list[Accepted]:
            try:
                return await self._copied(number, _for(number, settled))
            except AWAY as error:
                log.warning("event.delayed", error=str(error))
                away[number] = error
                return []

        lots = await asyncio.gather(*map(copied, range(len(self.parts))))
        return [each for lot in lots for each in lot], away

    async def _copied(self, number: int, settled: Sequence[Settled]) -> list[Accepted]:
        """As it was taken in at home."""
        if not settled:
            return []
        shares = [
            Copy(tuple(due for due in one.copies.starts if due.store == number)) for one in settled
        ]
        events = [one.event for one in settled]
        taken = await self.at(number, lambda part: part.take(events, shares))
        return [one.answer for one in taken]

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


def _for(number: int, settled: Sequence[Settled]) -> list[Settled]:
    """Those of which this store has a copy."""
    return [one for one in settled if number in one.copies.stores]


def _whole_answer(one: Settled, copies: Sequence[Accepted]) -> Accepted:
    """That of its home, and what the others add to it."""
    pair = one.answer.source, one.answer.id
    return added(one.answer, [each for each in copies if (each.source, each.id) == pair])


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
