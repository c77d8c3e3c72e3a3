"""The app of one store among several: its own engine and members; what is declared is shared."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from ostinato.app.doing import Once
from ostinato.app.marks import SCOPE, Say, marks_of
from ostinato.app.orchestrator import App
from ostinato.app.shards.reserved import Reserve, answering
from ostinato.config.settings import shown_store
from ostinato.core.cloudevents import Event
from ostinato.core.shards import Mark, Marks
from ostinato.core.triggers import match
from ostinato.core.uids import uid_problem
from ostinato.errors import ExpressionError, InvalidInput, NotFoundError, OstinatoError
from ostinato.ports import DeadLetter, Page, Reply, RunQuery, Seat, StoredEvent, Version
from ostinato.runtime.letters import judged
from ostinato.runtime.posts import Pair, Post
from ostinato.runtime.service import Service
from ostinato.runtime.shares import AcceptShare, Copy, Home, Settled, key_of
from ostinato.runtime.starts import replayed
from ostinato.runtime.wanted import Wanted

Deliver = Callable[[Sequence[Event]], Awaitable[None]]
Ask = Callable[[], Awaitable[None]]


class Part(App):
    """``deliver`` gets the events that runs emit, and those that other stores need as well;
    ``deployed`` hears that there may be new documents; ``check_set`` is asked whether it may work
    with what it has taken.
    """

    def __init__(
        self, whole: App, number: int, deliver: Deliver, deployed: Ask, check_set: Ask
    ) -> None:
        url = whole.settings.stores[number]
        settings = replace(whole.settings, store=url)
        super().__init__(settings, clock=whole._clock, identity=whole._identity)
        self.name = shown_store(url)
        self._whole = whole
        self._types = whole._types
        self._processes = whole._processes
        self._deliver, self._deployed_here = deliver, deployed
        self._set_checked, self._stores = check_set, len(whole.settings.stores)
        self._scheduling = number == 0
        self._documents = whole._documents if number == 0 else []
        self.handlers, self._http = whole.handlers, whole._http
        self._handler_defaults = whole._handler_defaults

    def _connect(self) -> None:
        self._connected = self._whole._connected

    def _take_in(self) -> None:
        """That is the whole's business."""

    async def _bring_documents(self, leads: bool) -> None:
        await super()._bring_documents(leads)
        await self._deployed_here()

    async def _from_bus(self, events: Sequence[Event]) -> None:
        await self._deliver(events)

    @property
    def works(self) -> bool:
        return self._service is not None

    @property
    def leads(self) -> bool:
        """It has the hub."""
        return self._service is not None and self._leads

    # who else is there

    @property
    def member(self) -> str | None:
        """Its id at the store; None: nobody can share that."""
        members = self.storage.members
        return None if members is None else members.id

    async def announce(self) -> tuple[Seat, ...]:
        """Come with so many stores, and take nothing. Who is there."""
        members = self.storage.members
        if members is None:
            return ()
        lease = round(self.settings.lease.total_seconds() * 1000)
        roll = await members.renew(lease, self.address, waits=True, stores=self._stores)
        return roll.seats

    async def seats(self) -> tuple[Seat, ...]:
        """At this moment."""
        members = self.storage.members
        return () if members is None else (await members.roll()).seats

    def fewer(self, seats: Sequence[Seat]) -> Seat | None:
        """One that has partitions, and works with fewer stores. Who is late may go on."""
        return next((one for one in seats if one.partitions and one.stores < self._stores), None)

    async def ask(self) -> object:
        """Next to nothing, by a way on which no long list or batch is in front of it."""
        if self.storage.members is not None:
            return await self.storage.members.owners()
        return await self.storage.reply(SCOPE, "place", 0)

    def forget(self) -> None:
        """What nobody waits for any more, and was not begun with."""
        if self._service is not None:
            engine = self._service.engine
            engine.queue = deque(post for post in engine.queue if not _is_left(post))

    # what it knows

    async def has_run(self, run_id: str) -> bool:
        """Also one that was promised, and has become another."""
        if await self.storage.head(run_id) is not None:
            return True
        try:
            return await self._pointed(run_id) is not None
        except NotFoundError:  # its dead letter is here
            return True

    async def knows(self, key: Pair, *, uid: bool) -> bool:
        """Whether a run was ever started here under this (workflow, uid), or (scope, key)."""
        if not uid:
            return await self.storage.reply(*key, self.now()) is not None
        query = RunQuery(workflow=key[0], uid=key[1])
        return bool(await self.storage.runs(query, Page(1)))

    async def known(self, pairs: Sequence[Pair]) -> dict[Pair, StoredEvent]:
        return await self.storage.known_events(pairs)

    async def start_key(
        self, workflow: str, version: int | None, uid: str | None, input: Any
    ) -> tuple[Pair, bool] | None:
        """The key of this start, and whether it is that of a uid; None: it has none.

        Raises what is wrong with it as it is.
        """
        name, number = await self._resolved(workflow, version)
        graph = self._catalog.graph(name, number)
        if uid is None and graph.uid is None and graph.dedup is None:
            return None
        if uid is not None and (why := uid_problem(uid)):
            raise InvalidInput(why)
        data = self._catalog.called_input(name, number, input)
        if uid is not None:
            return (name, uid), True
        try:
            wanted = self.service.starter.wanted(name, number, None, data)
        except ExpressionError as error:
            raise InvalidInput(str(error)) from error
        key = key_of(wanted)
        return None if key is None else (key, wanted.uid is not None)

    async def reserve(self, once: Once, store: int) -> int | None:
        """Which store answers this request: the one with this number, or another that had it
        before; None: this one has. Raises ``ConflictError`` when its key is another request's."""
        asked = self._idempotency(once)
        row: Reply = await self.service.ask(lambda answer: Reserve(asked, store, answer))
        replayed(asked, row)
        return answering(row)

    async def adopt(self, rows: Sequence[Version]) -> None:
        """Have these versions, as the first store has them."""
        if any(map(self._differs, rows)):
            await self._adopt(list(rows))

    # events

    def keys_of(self, event: Event) -> tuple[bool, list[tuple[Pair, bool]]]:
        """Whether waits may be for it; and the keys of the runs that it starts, and whether each is
        that of a uid."""
        found = match(self._catalog, event)
        wanted = self.service.starter.all_wanted(found)
        return bool(self._catalog.shapes(event.type)), _keys(wanted)

    async def letter_keys(self, letter: DeadLetter) -> list[tuple[Pair, bool]]:
        """Of what redriving it would start."""
        service = self.service
        fitting = await judged(service.engine, self._catalog, letter)
        try:
            wanted = [service.starter.wanted_by(one, fitting.encoded) for one in fitting.starts]
        except OstinatoError:  # redriving it says why
            return []
        return _keys(wanted)

    async def take(self, events: Sequence[Event], shares: Sequence[Home | Copy]) -> list[Settled]:
        if self.service.engine.territory.whole:
            return await self._take(events, shares)
        each = zip(events, shares, strict=True)
        found = await asyncio.gather(*[self._take([event], [share]) for event, share in each])
        return [settled for [settled] in found]

    async def _take(self, events: Sequence[Event], shares: Sequence[Home | Copy]) -> list[Settled]:
        service = self.service
        settled: list[Settled] = await service.ask(
            lambda answer: AcceptShare(service.starter, self._catalog, events, answer, shares)
        )
        return settled

    # where it belongs

    async def _refuse_part(self) -> None:
        """It belongs to a set."""

    async def _check_set(self) -> None:
        await self._set_checked()

    async def marks(self) -> Marks:
        return await marks_of(self.storage)

    async def say(self, marks: Sequence[Mark], now: Marks, service: Service) -> None:
        """``service`` is the one that had the hub when the marks were read."""
        await service.ask(lambda answer: Say(marks, now, answer))

    async def has_mail_out(self) -> bool:
        """Events are on their way out."""
        return bool(await self.storage.outbox(1))


def _is_left(post: Post) -> bool:
    return post.answer is not None and post.answer.cancelled()


def _keys(wanted: Sequence[Wanted]) -> list[tuple[Pair, bool]]:
    """And whether each is that of a uid."""
    return [(key, one.uid is not None) for one in wanted if (key := key_of(one)) is not None]
