"""Events: duplicates, triggers, dead letters. An event is stored with the runs it starts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from ostinato.core import correlation
from ostinato.core import events as e
from ostinato.core.cloudevents import Event, rfc3339
from ostinato.core.codec import encode_value
from ostinato.core.expressions import Expression, Template
from ostinato.core.views import View
from ostinato.errors import ExpressionError, InvalidInput, Problem
from ostinato.ports import DeadLetter, StoredEvent
from ostinato.runtime.catalog import Catalog, Trigger
from ostinato.runtime.change import Change
from ostinato.runtime.posts import Post
from ostinato.runtime.starts import Pair, Starter, stored

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine


class Accepted(View, omit_defaults=False):
    """What became of an event: the runs it started, or joined by their uid."""

    id: str
    source: str
    runs: list[str]
    duplicate: bool = False
    dead_letters: list[dict[str, str]] | UnsetType = UNSET


class Accept(Post):
    """Store events, all or none, with the runs they start."""

    __slots__ = ("catalog", "events", "found", "known", "starter", "taken")

    def __init__(
        self,
        starter: Starter,
        catalog: Catalog,
        events: Sequence[Event],
        answer: asyncio.Future[list[Accepted]] | None,
    ) -> None:
        self.starter = starter
        self.catalog = catalog
        self.events = events
        self.answer = answer
        self.known: dict[Pair, StoredEvent] = {}
        self.found: list[Found] = []
        self.taken: dict[Pair, str] = {}

    async def ready(self, engine: Engine) -> None:
        pairs = [(event.source, event.id) for event in self.events]
        self.known = await engine.storage.known_events(pairs)
        self.found = [
            match(self.catalog, event)
            for event in self.events
            if (event.source, event.id) not in self.known
        ]
        uids = [
            (start.trigger.workflow, start.uid)
            for found in self.found
            for start in found.starts
            if start.uid is not None
        ]
        self.taken = await self.starter.look(uids) if uids else {}

    def apply(self, engine: Engine, change: Change, now: int) -> list[Accepted]:
        answers: dict[Pair, Accepted] = {}
        for found in self.found:
            pair = (found.event.source, found.event.id)
            if pair not in answers:
                stored(engine, change, "event", *pair)
                engine.fresh["event", *pair] = change
                answers[pair] = self._take(engine, change, found, now)
        told: set[Pair] = set()
        return [self._answer(answers, told, event) for event in self.events]

    def _answer(self, new: dict[Pair, Accepted], told: set[Pair], event: Event) -> Accepted:
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
        )

    def _take(self, engine: Engine, change: Change, found: Found, now: int) -> Accepted:
        event, runs, dead = found.event, [], []
        for start in found.starts:
            runs.append(self._start(engine, change, start, found.encoded, now))
        for trigger, error in found.misfits:
            dead.append(self._bury(engine, change, event, trigger, error, now))
        answer = Accepted(
            id=event.id, source=event.source, runs=runs, dead_letters=dead if dead else UNSET
        )
        change.events.append(
            StoredEvent(event, now, msgspec.json.encode(answer), tuple(found.values_keys))
        )
        return answer

    def _start(self, engine: Engine, change: Change, start: Starting, event: Raw, now: int) -> str:
        ids, trigger = engine.identity, start.trigger
        begin = e.Start(ids.run_id(now), ids.seed(), start.uid, start.input, event)
        begun = self.starter.start(
            change, trigger.workflow, trigger.version, begin, now, self.taken
        )
        return begun.run_id

    def _bury(
        self, engine: Engine, change: Change, event: Event, trigger: Trigger,
        error: InvalidInput | ExpressionError, now: int,
    ) -> dict[str, str]:  # fmt: skip
        reasons = [
            {"pointer": problem.path, "message": problem.message}
            for problem in error.problems or (Problem(str(error)),)
        ]
        letter_id = engine.identity.event_id()
        letter = DeadLetter(
            letter_id, now, "trigger", trigger.name, event.source, event.id,
            msgspec.json.encode(reasons),
        )  # fmt: skip
        change.dead_letters.append(letter)
        return {"trigger": trigger.name, "id": letter_id}

    def done(self, result: list[Accepted]) -> None:
        super().done(result)
        engine = self.starter.engine
        for found in self.found:
            if found.values_keys:
                engine.outlets.on_event(found.event.type, found.values_keys, found.encoded)


class Starting:
    """A run that an event starts."""

    __slots__ = ("input", "trigger", "uid")

    def __init__(self, trigger: Trigger, input: Raw | None, uid: str | None) -> None:
        self.trigger = trigger
        self.input = input
        self.uid = uid


class Found:
    """What one event sets off."""

    __slots__ = ("encoded", "event", "misfits", "starts", "values_keys")

    def __init__(self, event: Event) -> None:
        self.event = event
        self.starts: list[Starting] = []
        self.misfits: list[tuple[Trigger, InvalidInput | ExpressionError]] = []
        self.values_keys: list[str] = []
        self.encoded = Raw(b"")


def match(catalog: Catalog, event: Event) -> Found:
    """The triggers that fit, with their inputs made, and the keys by which waits may find it."""
    found = Found(event)
    shapes = catalog.shapes(event.type)
    if not shapes and not catalog.listens(event.type):
        return found
    value = event_value(event)
    found.encoded = Raw(msgspec.json.encode(value | {"data": event.data}))
    for paths in shapes:
        key = correlation.key_of_event(paths, value)
        if key is not None:
            found.values_keys.append(key)
    for trigger in catalog.triggers(event.type, value):
        try:
            found.starts.append(_starting(catalog, trigger, value))
        except (InvalidInput, ExpressionError) as error:
            found.misfits.append((trigger, error))
    return found


def event_value(event: Event) -> dict[str, Any]:
    """The event as patterns and expressions see it."""
    return {
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": rfc3339(event.time),
        "data": msgspec.json.decode(event.data),
    }


def _starting(catalog: Catalog, trigger: Trigger, event: dict[str, Any]) -> Starting:
    names = {"event": event, "input": event["data"]}
    given = event["data"] if trigger.input is None else _made(trigger.input, names)
    checked = catalog.check_input(trigger.workflow, trigger.version, given)
    same = trigger.input is None and checked == given
    uid = None if trigger.uid is None else _uid(trigger.uid.evaluate(names))
    return Starting(trigger, None if same else encode_value(checked), uid)


def _made(source: Expression | Template, names: dict[str, Any]) -> Any:
    return source.evaluate(names) if isinstance(source, Expression) else source.render(names)


def _uid(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bool | float) or not isinstance(value, int):
        raise ExpressionError(f"uid gave {value!r:.80}, not a text")
    return str(value)


def encoded(event: Event) -> Raw:
    return Raw(msgspec.json.encode(event_value(event)))
