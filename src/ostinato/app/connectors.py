"""One bus of the settings at work: its messages as events, and events as its messages."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from ostinato.app.hooks import BusHooks
from ostinato.bus import Adapter, guard
from ostinato.config import KINDS, BusSettings
from ostinato.core.cloudevents import (
    Event,
    Limits,
    Message,
    Reader,
    arrived,
    event_value,
    from_http,
    from_path,
    numbered,
    sound,
    to_message,
    wrapped,
)
from ostinato.core.expressions import Template, parse_template
from ostinato.core.letters import INCOMING
from ostinato.core.model import Emit
from ostinato.core.patterns import Pattern
from ostinato.core.routes import OWN_NAME, Routes
from ostinato.definitions.document import Body, Document
from ostinato.errors import (
    DefinitionError,
    NotFoundError,
    OstinatoError,
    Problem,
    SettingsError,
    Unsent,
    UsageError,
)
from ostinato.ports import DeadLetter
from ostinato.ports.buses import Inlet, Outlet
from ostinato.runtime.letters import encoded_reasons
from ostinato.telemetry.logger import logger

log = logger("ostinato.buses")

BYE = 5.0
"""Seconds in which an outlet must have closed."""

NUMBERED = ("sqs", "bullmq", "eventbridge")
"""``QueueType`` of the message-bus connector: 0, 1, 2."""


class Connector:
    """``now`` and ``new_id`` are the app's. Nothing is connected here."""

    def __init__(
        self,
        settings: BusSettings,
        kind: Adapter,
        hooks: BusHooks,
        limits: Limits,
        now: Callable[[], int],
        new_id: Callable[[], str],
    ) -> None:
        self.settings = settings
        self.name = settings.name
        self.hooks = hooks
        self.inlets: Sequence[Inlet] = kind.inlets(settings)
        self.guard = guard(kind, settings)
        outlet = kind.outlet(settings)
        if outlet is None and settings.send:
            raise SettingsError(f"[bus.{self.name}] has `send`, and says nowhere to send it to")
        self.sender = None if outlet is None else Sender(self, outlet)
        self._pattern = _pattern(settings)
        self._key = _template(settings)
        self._form = kind.form(settings)
        by_type = getattr(kind, "by_type", None)
        self._by_type = by_type is not None and by_type(settings)
        self._keyed = getattr(kind, "KEYED", False)
        self._now = now
        self._new_id = new_id
        self._limits = limits
        reading = getattr(settings, "read", "auto")
        by = "body" if reading == "task" else kind.READS
        self._reader = Reader(self.name, by, new_id, limits)

    # in

    def read(self, message: Message) -> list[Event]:
        """The events in a message that are wanted. Raises when it cannot be read."""
        events = self._events(message)
        return [event for event in events if self._wants(event)]

    def read_posted(self, type: str, body: bytes) -> list[Event]:
        """What a door was handed for this bus, with its type: read as any door does, where no
        adapter is for it."""
        message = Message(place=type, body=body or b"{}", headers={"EventType": type})
        if self.hooks.reader_of(message) is not None:
            return self.read(message)
        now, new_id, limits = self._now(), self._new_id, self._limits
        event = arrived(from_path(type, body, now=now, new_id=new_id, limits=limits), self.name)
        return [event] if self._wants(event) else []

    def _events(self, message: Message) -> list[Event]:
        own = self.hooks.reader_of(message)
        if own is None:
            return self._reader.events(message, self._now())
        made = own(message)
        several: Iterable[Any] = () if made is None else _several(made)
        events = [self._made(each, message) for each in several]
        return [arrived(event, self.name) for event in numbered(events, message.id)]

    def _made(self, made: Any, message: Message) -> Event:
        if isinstance(made, Event):
            return sound(made, self._limits)
        if not isinstance(made, dict):
            raise UsageError(f"adapt_to gave {type(made).__name__}, not an event or {{type, data}}")
        now = self._now() if message.time is None else message.time
        name = (lambda: message.id) if message.id else self._new_id
        body = msgspec.json.encode({"source": self.name} | made)
        [event], _ = from_http({}, body, now=now, new_id=name, limits=self._limits)
        return event

    def _wants(self, event: Event) -> bool:
        fits = self._pattern is None or self._pattern.matches(event_value(event))
        return fits and self.hooks.wants(event)

    def letter(self, message: Message, error: Exception) -> DeadLetter:
        """Of a message that cannot be read; the same for the same message."""
        now = self._now()
        event = wrapped(message, self.name, self._new_id(), now)
        told = msgspec.json.encode([self.name, event.id if message.id else "", event.data])
        problems = error.problems if isinstance(error, OstinatoError) else ()
        why = str(error) if isinstance(error, OstinatoError) else f"{type(error).__name__}: {error}"
        return DeadLetter(
            f"incoming-{sha256(told).hexdigest()[:26]}", now, INCOMING, self.name, event.source,
            event.id, encoded_reasons(problems or [Problem(why)]), event,
        )  # fmt: skip

    # out

    def write(self, event: Event) -> Message:
        own = self.hooks.writer_of(event)
        if own is not None:
            return _sound(own(event), event)
        place = event.type if self._by_type else ""
        return to_message(event, self._form, place=place, key=self._key_of(event))

    def order_of(self, event: Event) -> Hashable | None:
        """What goes to another place, or has another key, may pass it; so may what has none."""
        try:
            message = self.write(event)
        except BaseException:  # an adapter's: whoever sends it finds out why
            return None
        return None if message.key is None else (message.place, message.key)

    def _key_of(self, event: Event) -> str | None:
        """CloudEvents' own name of it comes before the subject."""
        key = (event.extensions or {}).get("partitionkey", event.subject)
        if self._key is not None:
            made = self._key.render({"event": event_value(event)})
            key = None if made is None else str(made)
        return event.type if self._keyed and not key else key


class Sender:
    """The out half: the ``Bus`` that an outbox's lane sends to. It connects when it must."""

    def __init__(self, connector: Connector, outlet: Outlet) -> None:
        self.connector = connector
        self.outlet = outlet
        self.counts: Counter[str] = Counter()
        self._open = False
        self._busy = asyncio.Lock()

    async def send(self, events: Iterable[Event]) -> None:
        """Raises ``Unsent`` where the bus has not all of them, ``BusError`` where none."""
        async with self._busy:
            await self._send(list(events))

    async def _send(self, events: list[Event]) -> None:
        messages, refused = self._written(events)
        sent = [event for event in events if _pair(event) not in refused]
        failed: dict[tuple[str, str], Exception] = {}
        if messages:
            for event, why in zip(sent, await self._sent(messages), strict=True):
                if isinstance(why, UsageError):
                    refused[_pair(event)] = why
                elif why is not None:
                    failed[_pair(event)] = why
        self.counts["sent"] += len(events) - len(refused) - len(failed)
        self.counts["refused"] += len(refused)
        if refused or failed:
            why = next(iter(failed.values()), None)
            text = f"{self.connector.name}: {why}" if why is not None else ""
            raise Unsent(text, frozenset(failed), refused)

    def _written(self, events: list[Event]) -> tuple[list[Message], dict[Any, Exception]]:
        messages: list[Message] = []
        refused: dict[tuple[str, str], Exception] = {}
        for event in events:
            try:
                messages.append(self.connector.write(event))
            except Exception as error:  # of an adapter that somebody has written, too
                refused[_pair(event)] = error
            except BaseException as error:  # an adapter's own: nothing is awaited here
                refused[_pair(event)] = RuntimeError(repr(error))
        return messages, refused

    async def _sent(self, messages: list[Message]) -> Sequence[Exception | None]:
        try:
            if not self._open:
                await self.outlet.open()
                self._open = True
            return await self.outlet.send(messages)
        except BaseException:
            await self.close()  # it is connected anew by the next one
            raise

    def order_of(self, event: Event) -> Hashable | None:
        """Its place and key."""
        return self.connector.order_of(event)

    async def subscribe(self, type: str, deliver: Any) -> None:
        raise UsageError(f"{self.connector.name} is sent to; what comes in has inlets of its own")

    async def close(self) -> None:
        """Whoever hangs up is not held up by a bus that does not answer."""
        self._open = False
        try:
            async with asyncio.timeout(BYE):
                await self.outlet.close()
        except Exception as error:
            log.warning("outlet.not_closed", bus=self.connector.name, error=str(error))


class Connectors:
    """All of an app, by name."""

    def __init__(
        self,
        found: Mapping[str, Connector] | None = None,
        plain: Callable[[str], Connector] | None = None,
    ) -> None:
        self.found = dict(found or {})
        self._plain = plain
        self.senders = {
            name: each.sender for name, each in self.found.items() if each.sender is not None
        }
        sends = {name: each.settings.send for name, each in self.found.items()}
        self.routes = Routes(sends, list(self.senders))

    def read(self, bus: str, message: Message) -> Sequence[Event]:
        """What a message means today. Raises ``UsageError``."""
        return self.connector(bus).read(message)

    def connector(self, bus: str) -> Connector:
        """Raises ``UsageError``."""
        connector = self.found.get(bus)
        if connector is None and bus in KINDS and self._plain is not None:
            return self._plain(bus)  # messages that Lambda has fetched need no settings
        if connector is None:
            raise UsageError(f"no bus is called {bus!r} any more: [bus.{bus}] makes one")
        return connector

    def of_kind(self, kind: str, place: str = "") -> Connector | None:
        """The one that receives from there, or is called as its kind, else the first."""
        several = [each for each in self.found.values() if each.settings.kind == kind]
        for each in several:
            if place and place in map(last_name, each.settings.receive):
                return each
        first = several[0] if several else None
        return next((each for each in several if each.name == kind), first)

    def sender(self, bus: str) -> Sender:
        """Raises ``NotFoundError`` for a bus that nothing goes out on."""
        if bus not in self.senders:
            raise NotFoundError(f"bus {self.routes.problem(bus)}")
        return self.senders[bus]

    def warnings(self, document: Document) -> Iterator[str]:
        """Buses that the document names, and nobody knows here."""
        for trigger in document.triggers:
            if trigger.bus is not None and trigger.bus not in {*self.found, OWN_NAME, *NUMBERED}:
                yield f"on[{trigger.index}].bus {_unknown(trigger.bus, self.found)}"
        for job in document.jobs():
            for body in job.bodies():
                if isinstance(body.action, Emit) and (why := self._bus_problem(body)):
                    yield f"{job.name}: emit.bus {why}"

    def _bus_problem(self, body: Body) -> str:
        written = body.input.source if body.input is not None else {}
        bus = written.get("bus") if isinstance(written, Mapping) else None
        plain = isinstance(bus, str) and "${" not in bus
        return self.routes.problem(bus) if plain and isinstance(bus, str) else ""

    async def hang_up(self) -> None:
        for sender in self.senders.values():
            await sender.close()


def last_name(place: str) -> str:
    """The name in it: it may be written as a URL or an ARN."""
    return place.rpartition("/")[2].rpartition(":")[2]


def _several(made: Any) -> Iterable[Any]:
    one = isinstance(made, Event | dict | str | bytes) or not isinstance(made, Iterable)
    return (made,) if one else made


def _sound(made: Any, event: Event) -> Message:
    """A message that somebody's own code has made; without an id or a source it has the event's.
    Raises ``UsageError``."""
    if not isinstance(made, Message):
        raise UsageError(f"adapt_from gave {type(made).__name__}, not a Message")
    try:
        checked = msgspec.convert(msgspec.structs.asdict(made), Message)
    except msgspec.ValidationError as error:
        raise UsageError(f"adapt_from gave a Message that is none: {error}") from error
    id, source = checked.id or event.id, checked.source or event.source
    return msgspec.structs.replace(checked, id=id, source=source)


def _unknown(bus: str, found: Iterable[str]) -> str:
    known = ", ".join(sorted(found)) or "none"
    return f"names {bus!r}, and no bus is called so: [bus.{bus}] makes one; there is {known}"


def _pair(event: Event) -> tuple[str, str]:
    return event.source, event.id


def _pattern(settings: BusSettings) -> Pattern | None:
    if settings.pattern is None:
        return None
    try:
        return Pattern(settings.pattern)
    except DefinitionError as error:
        raise SettingsError(f"bus.{settings.name}.pattern: {error}") from error


def _template(settings: BusSettings) -> Template | None:
    key = getattr(settings, "key", None)
    if key is None:
        return None
    try:
        return parse_template(key)
    except DefinitionError as error:
        raise SettingsError(f"bus.{settings.name}.key: {error}") from error
