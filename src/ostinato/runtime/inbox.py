"""Events and starts: duplicates, triggers, uids, and the waits that an event continues.

An event is stored together with the runs it starts. A wait and an event meet by key: both are
stored first and looked up after, so neither can slip past the other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from ostinato.core import correlation
from ostinato.core import events as e
from ostinato.core.cloudevents import Event, rfc3339
from ostinato.core.codec import encode_value
from ostinato.core.commands import OpenWait
from ostinato.core.expressions import Expression, Template
from ostinato.core.state import State
from ostinato.core.views import View
from ostinato.errors import ConflictError, ExpressionError, InvalidInput, Problem
from ostinato.ports import DeadLetter, Reply, StoredEvent
from ostinato.runtime.catalog import Catalog, Trigger
from ostinato.runtime.change import Change
from ostinato.runtime.posts import NotYet, Post, Tell
from ostinato.runtime.resident import Resident

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine

Pair = tuple[str, str]


class Accepted(View, omit_defaults=False):
    """What became of an event: the runs it started, or joined by their uid."""

    id: str
    source: str
    runs: list[str]
    duplicate: bool = False
    dead_letters: list[dict[str, str]] | UnsetType = UNSET


class Begun(msgspec.Struct):
    """A run that was started, or that was there already. ``answer`` replays an idempotent one."""

    run_id: str
    duplicate: bool = False
    answer: bytes | None = None


class Idempotency(msgspec.Struct, frozen=True):
    """``digest`` is of the request: the same key with another request is a conflict."""

    scope: str
    key: str
    digest: str
    expires_at: int
    answer: Callable[[State, bool], bytes]


class Starter:
    """Starts runs inside a tick; one open run per (workflow, uid)."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def look(self, pairs: Sequence[Pair]) -> dict[Pair, str]:
        """Which uids are taken by runs that are not in memory."""
        unknown = [pair for pair in pairs if self.engine.residents.open_under(*pair) is None]
        return await self.engine.storage.open_runs(unknown) if unknown else {}

    def start(
        self, change: Change, workflow: str, version: int, event: e.Start, now: int,
        taken: dict[Pair, str],
    ) -> Begun:  # fmt: skip
        engine = self.engine
        if event.uid is not None:
            there = engine.residents.open_under(workflow, event.uid)
            if there is not None:
                stored(engine, change, "uid", workflow, event.uid)
                return Begun(there.run_id, duplicate=True)
            if (workflow, event.uid) in taken:
                return Begun(taken[workflow, event.uid], duplicate=True)
        resident = Resident(event.run_id, State(engine.graph_of(workflow, version)))
        told = engine.tell(change, resident, event, now)
        told.new = True
        engine.residents.add(resident)
        if event.uid is not None:
            engine.fresh["uid", workflow, event.uid] = change
        return Begun(event.run_id)


def stored(engine: Engine, change: Change, kind: str, first: str, second: str) -> None:
    """Raises ``NotYet`` when another change of this tick is what brings it."""
    if engine.fresh.get((kind, first, second), change) is not change:
        raise NotYet


class Begin(Post):
    """Start one run."""

    __slots__ = ("early", "idempotency", "input", "starter", "taken", "uid", "version", "workflow")

    def __init__(
        self,
        starter: Starter,
        workflow: str,
        version: int,
        input: Raw,
        uid: str | None,
        answer: asyncio.Future[Begun] | None,
        idempotency: Idempotency | None = None,
    ) -> None:
        self.starter = starter
        self.workflow = workflow
        self.version = version
        self.input = input
        self.uid = uid
        self.answer = answer
        self.idempotency = idempotency
        self.taken: dict[Pair, str] = {}
        self.early: Reply | None = None

    async def ready(self, engine: Engine) -> None:
        if (once := self.idempotency) is not None:
            self.early = await engine.storage.reply(once.scope, once.key, engine.clock.now())
        if self.uid is not None:
            self.taken = await self.starter.look([(self.workflow, self.uid)])
            if once is not None:  # what is remembered shows the run
                for run_id in self.taken.values():
                    await engine.residents.load(run_id)

    def apply(self, engine: Engine, change: Change, now: int) -> Begun:
        if (once := self.idempotency) is not None:
            stored(engine, change, "reply", once.scope, once.key)
            if self.early is not None:
                return replayed(once, self.early)
        ids = engine.identity
        start = e.Start(ids.run_id(now), ids.seed(), self.uid, self.input)
        begun = self.starter.start(change, self.workflow, self.version, start, now, self.taken)
        if once is not None:
            resident = engine.residents.get(begun.run_id)
            answer = once.answer(resident.state, begun.duplicate) if resident else b""
            reply = Reply(once.scope, once.key, once.digest, answer, now, once.expires_at)
            engine.fresh["reply", once.scope, once.key] = change
            change.replies.append(reply)
        return begun


def replayed(once: Idempotency, reply: Reply) -> Begun:
    """The answer that was given before."""
    if reply.digest != once.digest:
        raise ConflictError(f"Idempotency-Key {once.key!r} was used for another request")
    return Begun("", duplicate=True, answer=reply.answer)


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
                engine.on_event(found.event.type, found.values_keys, found.encoded)


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


class Meeting:
    """Brings events and waits together, after either was stored."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._events: deque[tuple[str, Sequence[str], Raw]] = deque()
        self._waits: deque[tuple[str, OpenWait]] = deque()

    def on_event(self, type: str, values_keys: Sequence[str], event: Raw) -> None:
        self._events.append((type, values_keys, event))
        self.engine.wake.set()

    def on_wait(self, run_id: str, wait: OpenWait) -> None:
        self._waits.append((run_id, wait))
        self.engine.wake.set()

    async def run_once(self, now: int) -> int:
        """Each is forgotten only once the store has answered."""
        done = len(self._events) + len(self._waits)
        while self._events:
            await self._find_waits(*self._events[0])
            self._events.popleft()
        while self._waits:
            await self._look_back(*self._waits[0])
            self._waits.popleft()
        return done

    async def _find_waits(self, type: str, keys: Sequence[str], event: Raw) -> None:
        for wait in await self.engine.storage.find_waits(type, keys):
            self.engine.post(Tell(wait.run_id, e.Arrived(wait.key, event)))

    async def _look_back(self, run_id: str, wait: OpenWait) -> None:
        for type_ in wait.types:
            found = await self.engine.storage.early_events(type_, wait.values_key, wait.since or 0)
            for event in found:
                self.engine.post(Tell(run_id, e.Arrived(wait.key, encoded(event))))


def encoded(event: Event) -> Raw:
    return Raw(msgspec.json.encode(event_value(event)))
