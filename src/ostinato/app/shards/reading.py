"""What is read of a set: one run where it is, lists from all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import msgspec

from ostinato.app.orchestrator import App
from ostinato.app.pages import heavy_page, place_of, weight_of_event
from ostinato.app.reading import check_words
from ostinato.app.shards import merging
from ostinato.app.shards.events import added, is_copy
from ostinato.app.shards.part import Part
from ostinato.app.shards.parts import of_run
from ostinato.app.shards.starting import Starting
from ostinato.app.stuck import StuckView
from ostinato.errors import ConflictError, NotFoundError
from ostinato.ports import EventQuery, Head, Page, Roll, RunQuery, StoredEvent
from ostinato.runtime.inbox import Accepted


class Reading(Starting):
    run_view = of_run(App.run_view)
    callbacks = of_run(App.callbacks)
    wait_ended = of_run(App.wait_ended)
    state_at_end = of_run(App.state_at_end)
    history = of_run(App.history)
    run_graph = of_run(App.run_graph)

    async def stream(self, run_id: str, after: int = -1) -> AsyncIterator[dict[str, Any]]:
        number = await self.run_owner(run_id) or 0
        async for fact in self.parts[number].stream(run_id, after):
            yield fact

    async def find_run(self, name: str) -> Head:
        if name != "last" and (number := await self.run_owner(name)) is not None:
            return await self.at(number, lambda part: part.find_run(name))
        newest = RunQuery() if name == "last" else RunQuery(uid=name)
        found = await self.runs(newest, Page(1))
        if not found and name != "last":
            found = await self.runs(RunQuery(id_prefix=name), Page(2))
        if len(found) > 1:
            raise ConflictError(f"more than one run begins with {name!r}: give more of its id")
        if not found:
            raise NotFoundError(f"there is no run {name!r}: give its id, a prefix of it or its uid")
        return found[0]

    async def runs(self, query: RunQuery, page: Page) -> list[Head]:
        check_words(query)
        lots = await self.all(lambda part: part.storage.runs(query, page))
        return merging.merged(lots, lambda head: head.run_id, page.limit)

    async def count_runs(self, query: RunQuery) -> int:
        return sum(await self.all(lambda part: part.count_runs(query)))

    async def stuck(self, since: int | None = None, workflow: str | None = None) -> StuckView:
        return merging.stuck(await self.all(lambda part: part.stuck(since, workflow)))

    # events: each is shown once, as its home has it

    async def events(self, query: EventQuery, page: Page) -> list[StoredEvent]:
        found = await heavy_page(page, partial(self._events, query), weight_of_event, place_of)
        return await self._whole_events(found)

    async def _events(self, query: EventQuery, page: Page) -> list[StoredEvent]:
        lots = await self.all(lambda part: _at_home(part, query, page))
        return merging.merged(lots, _place, page.limit)

    async def _whole_events(self, found: list[StoredEvent]) -> list[StoredEvent]:
        """With the runs that they started elsewhere."""
        pairs = [(one.event.source, one.event.id) for one in found]
        lots = await self.all(lambda part: part.known(pairs))
        return [_with_copies(one, [lot[pair] for lot in lots if pair in lot])
                for one, pair in zip(found, pairs, strict=True)]  # fmt: skip

    async def count_events(self, query: EventQuery) -> int:
        """A copy counts as well: to count them apart, all would have to be read."""
        return sum(await self.all(lambda part: part.count_events(query)))

    async def event(self, event_id: str, source: str | None = None) -> StoredEvent:
        lots = await self.all(lambda part: part.storage.events_by_id(event_id))
        found = [one for lot in lots for one in lot if not is_copy(one)]
        found = [one for one in found if source is None or one.event.source == source]
        if not found:
            raise NotFoundError(f"there is no event {event_id!r}")
        if len(found) > 1:
            sources = ", ".join(repr(one.event.source) for one in found)
            raise ConflictError(f"events from {sources} have this id: say which source")
        return (await self._whole_events(found))[0]

    # processes

    async def members(self) -> Roll:
        return merging.roll(await self.all(lambda part: part.members()))

    def promote(self) -> bool:
        stood_by = [part.promote() for part in self.parts]
        return any(stood_by)

    def health(self) -> dict[str, Any]:
        """Ready when any of the stores takes starts: then there is work to send here."""
        told = merging.health([part.health() for part in self.parts])
        return told | {"buses": self.whole._counts()}


async def _at_home(part: Part, query: EventQuery, page: Page) -> list[StoredEvent]:
    """A page of those whose home this is."""
    found: list[StoredEvent] = []
    while len(found) < page.limit:
        lot = await part.storage.events(query, page)
        found += [one for one in lot if not is_copy(one)]
        if len(lot) < page.limit:
            break
        page = Page(page.limit, place_of(lot[-1]))
    return found


def _place(stored: StoredEvent) -> tuple[int, bytes]:
    return stored.received_at, f"{stored.event.source}/{stored.event.id}".encode()


def _with_copies(one: StoredEvent, every: list[StoredEvent]) -> StoredEvent:
    copies = [each for each in every if is_copy(each)]
    if not copies:
        return one
    answers = [msgspec.json.decode(each.answer, type=Accepted) for each in (one, *copies)]
    answer = msgspec.json.encode(added(answers[0], answers[1:]))
    return StoredEvent(one.event, one.received_at, answer, one.values_keys)
