"""Events: duplicates, triggers, dead letters. An event is stored with the runs it starts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from ostinato.core import events as e
from ostinato.core.cloudevents import BUS, Event, event_value
from ostinato.core.conflicts import differ, letter_id
from ostinato.core.letters import CONFLICT, TAKEN, problems_of
from ostinato.core.triggers import Found, Starting, Trigger, match
from ostinato.core.views import View
from ostinato.errors import OstinatoError
from ostinato.ports import DeadLetter, StoredEvent
from ostinato.runtime.catalog import Catalog
from ostinato.runtime.change import Change
from ostinato.runtime.letters import encoded_reasons, is_new, note
from ostinato.runtime.posts import Errand, Pair, Post, stored
from ostinato.runtime.resident import Abroad
from ostinato.runtime.starts import Starter
from ostinato.runtime.wanted import Begun, Wanted

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine


class Accepted(View, omit_defaults=False):
    """What became of an event: the runs it started, or ``joined``, by their uid or ``dedup``.

    A dead letter has the name of its ``trigger``, its ``id``, and the first ``reason`` for it.
    ``conflict``: an event with other content was stored under its name before; the dead letter of
    this id holds this one.
    """

    id: str
    source: str
    runs: list[str]
    duplicate: bool = False
    dead_letters: list[dict[str, str]] | UnsetType = UNSET
    joined: list[str] | UnsetType = UNSET
    conflict: str | UnsetType = UNSET


LONGEST = 500
"""Letters of a reason in an answer; the dead letter has all of it."""


class Accept(Post):
    """Store events, all or none, with the runs they start."""

    __slots__ = ("catalog", "conflicts", "events", "found", "known", "others", "starter", "wanted")

    def __init__(
        self,
        starter: Starter,
        catalog: Catalog,
        events: Sequence[Event],
        answer: asyncio.Future[Any] | None,
    ) -> None:
        self.starter = starter
        self.catalog = catalog
        self.events = events
        self.answer = answer
        self.known: dict[Pair, StoredEvent] = {}
        self.found: list[Found] = []
        self.wanted: list[list[Wanted]] = []
        self.others: list[Event] = []
        self.conflicts: list[DeadLetter] = []

    @property
    def pairs(self) -> list[Pair]:
        return [(event.source, event.id) for event in self.events]

    def looks_again(self) -> bool:
        return True

    def _look_for_home(self) -> None:
        """Raises ``Abroad`` where another process knows the uid that it starts a run under."""
        homes = [one.home for several in self.wanted for one in several if one.far]
        if homes:
            raise Abroad(homes[0] or 0)

    def errand(self) -> Errand:
        return Errand("accept", "", msgspec.json.encode(self.events))

    def report(self, result: Any) -> Any:
        return result

    def arrived(self, said: Raw) -> None:
        self.done(msgspec.json.decode(said, type=list[Accepted]))

    async def ready(self, engine: Engine) -> None:
        self.known = await self.known_events(engine)
        if self.known or len(self.events) > 1:
            await self._look_for_others(engine)
        self.found = [
            self.match(event) for event in self.events if (event.source, event.id) not in self.known
        ]
        self.wanted = [self.wanted_of(found) for found in self.found]
        if self.answer is not None and len(self.events) == 1:
            self._look_for_home()
        if asked := [one for several in self.wanted for one in several if one.asks]:
            await self.starter.look(asked)

    async def _look_for_others(self, engine: Engine) -> None:
        """Those with another content than the first of their name."""
        self.others = self._others()
        now = engine.clock.now()
        made = [conflict(event, now) for event in self.others]
        self.conflicts = [letter for letter in made if await is_new(engine, letter)]

    def _others(self) -> list[Event]:
        first = {pair: one.event for pair, one in self.known.items()}
        others = []
        for event in self.events:
            before = first.setdefault((event.source, event.id), event)
            if before is not event and type(before) is Event and differ(before, event):
                others.append(event)
        return others

    async def known_events(self, engine: Engine) -> dict[Pair, StoredEvent]:
        return await engine.known_events()

    def match(self, event: Event) -> Found:
        return match(self.catalog, event)

    def wanted_of(self, found: Found) -> list[Wanted]:
        return self.starter.all_wanted(found)

    def kept(
        self, engine: Engine, change: Change, event: Event, answer: Accepted, now: int
    ) -> Accepted:
        """The answer as it is stored beside its event."""
        return answer

    def apply(self, engine: Engine, change: Change, now: int) -> list[Accepted]:
        note(engine, change, self.conflicts)
        answers: dict[Pair, Accepted] = {}
        for found, wanted in zip(self.found, self.wanted, strict=True):
            pair = (found.event.source, found.event.id)
            if pair not in answers:
                stored(engine, change, "event", *pair)
                engine.fresh["event", *pair] = change
                answers[pair] = self._take(engine, change, found, wanted, now)
        told: set[Pair] = set()
        others = set(map(id, self.others))
        return [self._answer(answers, told, event, id(event) in others) for event in self.events]

    def _answer(
        self, new: dict[Pair, Accepted], told: set[Pair], event: Event, other: bool
    ) -> Accepted:
        pair = (event.source, event.id)
        early = new.get(pair)
        if early is None:
            early = msgspec.json.decode(self.known[pair].answer, type=Accepted)
        elif pair not in told:
            told.add(pair)
            return early
        return Accepted(
            id=early.id,
            source=early.source,
            runs=early.runs,
            duplicate=True,
            dead_letters=early.dead_letters,
            joined=early.joined,
            conflict=letter_id(event) if other else UNSET,
        )

    def _take(
        self, engine: Engine, change: Change, found: Found, wanted: Sequence[Wanted], now: int
    ) -> Accepted:
        event, runs, dead, joined = found.event, list[str](), [], []
        for start, one in zip(found.starts, wanted, strict=True):
            try:
                begun = self._start(engine, change, start, one, found.encoded, now)
                runs.append(begun.run_id)
                if begun.duplicate:
                    joined.append(begun.run_id)
            except OstinatoError as why:  # of this trigger alone: the event's others go on
                dead.append(self._bury(engine, change, event, start.trigger, why, now))
        for trigger, error in found.misfits:
            dead.append(self._bury(engine, change, event, trigger, error, now))
        answer = Accepted(
            id=event.id, source=event.source, runs=runs, dead_letters=dead or UNSET,
            joined=joined or UNSET,
        )  # fmt: skip
        kept = msgspec.json.encode(self.kept(engine, change, event, answer, now))
        change.rows.events.append(StoredEvent(event, now, kept, tuple(found.values_keys)))
        return answer

    def _start(
        self, engine: Engine, change: Change, start: Starting, one: Wanted, event: Raw, now: int
    ) -> Begun:
        run_id, seed = engine.run_id(now), engine.identity.seed()
        begin = e.Start(run_id, seed, one.uid, start.input, event)
        return self.starter.start(change, one, begin, now, start.trigger.name)

    def _bury(
        self, engine: Engine, change: Change, event: Event, trigger: Trigger,
        error: OstinatoError, now: int,
    ) -> dict[str, str]:  # fmt: skip
        letter_id, reasons = engine.identity.event_id(now), problems_of(error)
        letter = DeadLetter(
            letter_id, now, "trigger", trigger.name, event.source, event.id,
            encoded_reasons(reasons), event,
        )  # fmt: skip
        change.rows.dead_letters.append(letter)
        return {"trigger": trigger.name, "id": letter_id, "reason": str(reasons[0])[:LONGEST]}

    def done(self, result: Any) -> None:
        super().done(result)
        engine = self.starter.engine
        for found in self.found:
            if found.values_keys:
                engine.outlets.on_event(found.event, found.values_keys, found.encoded)


def conflict(event: Event, now: int) -> DeadLetter:
    """The letter of an event whose name was taken."""
    reasons, bus = encoded_reasons([TAKEN]), (event.extensions or {}).get(BUS, "")
    named = (letter_id(event), now, CONFLICT, bus, event.source, event.id)
    return DeadLetter(*named, reasons, event)


def encoded(event: Event) -> Raw:
    return Raw(msgspec.json.encode(event_value(event)))
