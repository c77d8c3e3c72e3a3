"""``[bus.NAME]``: one table for each kind of bus, and how its rows are read.

A new member is one new line here; a new kind a table, and an adapter in ``ostinato.bus``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from ostinato.config.addresses import ADDRESS, HOSTS, PLACE, SERVER
from ostinato.config.given import Given
from ostinato.config.kinds import (
    COUNT,
    DURATION,
    FLAG,
    LEASE,
    MAP,
    OPTIONS,
    PLACES,
    SECRET,
    TEXT,
    TEXTS,
    one_of,
)
from ostinato.config.table import Setting, row, rows_of
from ostinato.errors import Problem, SettingsError

BUS = "bus."

NAME = re.compile(r"(?!memory$)[a-z][a-z0-9_-]{0,39}")
NAMED = "small letters, digits, - and _; `memory` is the engine's own"


@dataclass(frozen=True, slots=True, kw_only=True)
class BusSettings:
    """What buses of every kind have."""

    name: str = ""
    kind: str = ""
    receive: tuple[str, ...] = row((), PLACES, "where messages come in: topics, queues")
    send: tuple[str, ...] = row(
        (), TEXTS, "types of events that runs emit and that go out here; * stands for any letters"
    )
    pattern: Mapping[str, Any] | None = row(
        None, MAP, "events that come in and do not fit it are dropped"
    )
    most: int = row(500, COUNT, "messages that are taken in at once")
    origins: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def origin(self, member: str) -> str:
        return self.origins.get(member, "default")


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings(BusSettings):
    servers: str = row("127.0.0.1:9092", HOSTS, "brokers, as host:port,host:port")
    group: str = row("ostinato", TEXT, "the consumer group")
    since: str = row("earliest", one_of("earliest", "latest"), "where a new group begins")
    topic: str | None = row(None, TEXT, "where events go out; none: the topic of their type's name")
    key: str | None = row(
        None, TEXT, "the key of what goes out, as ${ event.data.order }; none: its subject"
    )
    form: str = row("cloudevents", one_of("cloudevents", "task", "data"), "how events are written")
    read: str = row("auto", one_of("auto", "task"), "how messages that are no CloudEvents are read")
    compression: str = row(
        "gzip", one_of("gzip", "zstd", "lz4", "snappy", "none"), "of what goes out"
    )
    tls: bool = row(False, FLAG, "speak TLS to the brokers")
    username: str | None = row(None, TEXT, "for SASL")
    password: str | None = row(None, SECRET, "for SASL")
    options: Mapping[str, Any] | None = row(
        None, OPTIONS, "more properties of librdkafka, for all its clients"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsSettings(BusSettings):
    """What it does not say, the AWS client finds as it always does: AWS_* variables, profiles, the
    machine's role."""

    region: str | None = row(None, TEXT, "the region; none: as AWS_REGION or the profile says")
    endpoint: str | None = row(None, ADDRESS, "another address of the service")
    access_key_id: str | None = row(None, TEXT, "instead of AWS's own ways to find credentials")
    secret_access_key: str | None = row(None, SECRET, "its secret")
    session_token: str | None = row(None, SECRET, "with temporary credentials")


@dataclass(frozen=True, slots=True, kw_only=True)
class SqsSettings(AwsSettings):
    queue: str | None = row(None, PLACE, "where events go out: a queue's name or URL")
    key: str | None = row(
        None, TEXT, "message group in a FIFO queue, as ${ event.data.order }; none: its subject"
    )
    form: str = row("bus", one_of("bus", "task", "cloudevents"), "how events are written")
    wait: timedelta = row(timedelta(seconds=20), DURATION, "how long one poll waits")  # noqa: RUF009
    visibility: timedelta = row(  # noqa: RUF009
        timedelta(seconds=30), DURATION, "how long a message in hand is hidden; renewed meanwhile"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SnsSettings(AwsSettings):
    topic: str | None = row(None, TEXT, "where events go out: a topic's ARN")
    key: str | None = row(None, TEXT, "message group in a FIFO topic; none: its subject")
    form: str = row("bus", one_of("bus", "task", "cloudevents"), "how events are written")
    confirm: bool = row(True, FLAG, "confirm subscriptions of the topics in `receive`")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBridgeSettings(AwsSettings):
    bus: str = row("default", TEXT, "name or ARN of the event bus")
    source: str = row("CONTROL-PLANE", TEXT, "the source of what goes out")


@dataclass(frozen=True, slots=True, kw_only=True)
class BullMqSettings(BusSettings):
    url: str = row("redis://127.0.0.1:6379", SERVER, "the Redis server")
    queue: str | None = row(None, TEXT, "where events go out")
    prefix: str = row("bull", TEXT, "before the names of BullMQ's keys")
    attempts: int = row(3, COUNT, "attempts of a job that goes out")
    backoff: timedelta = row(timedelta(seconds=1), DURATION, "before its second attempt; doubled")  # noqa: RUF009
    lock: timedelta = row(  # noqa: RUF009
        timedelta(seconds=30), LEASE, "how long a job in hand stays ours; renewed meanwhile"
    )
    options: Mapping[str, Any] | None = row(
        None, OPTIONS, "more options of each job that goes out, as {removeOnComplete = 1000}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings(BusSettings):
    url: str | None = row(None, ADDRESS, "where events are posted")
    form: str = row(
        "cloudevents", one_of("cloudevents", "structured", "task", "data"), "how events are written"
    )
    sign: str = row(
        "standard", one_of("standard", "task", "arc"), "which signature, if there is a secret"
    )
    secret: str | None = row(None, SECRET, "what posts are signed with")
    headers: Mapping[str, Any] | None = row(None, OPTIONS, "more headers of each post")
    timeout: timedelta = row(timedelta(seconds=10), DURATION, "how long an answer may take")  # noqa: RUF009


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBusSettings(BusSettings):
    """Inside one process, for tests: what goes out of a place comes in where it is received."""

    place: str | None = row(None, TEXT, "where events go out; none: the place of their type's name")


KINDS: Mapping[str, type[BusSettings]] = {
    "kafka": KafkaSettings,
    "sqs": SqsSettings,
    "sns": SnsSettings,
    "eventbridge": EventBridgeSettings,
    "bullmq": BullMqSettings,
    "http": HttpSettings,
    "memory": MemoryBusSettings,
}

Buses = Mapping[str, BusSettings]


def _rows(table: type[BusSettings]) -> Mapping[str, Setting]:
    return {each.name: each for each in rows_of(table)}


def bus_table(kind: str) -> Mapping[str, Setting]:
    return _rows(KINDS[kind])


def is_secret(member: str) -> bool:
    """Of any kind."""
    tables = (bus_table(kind) for kind in KINDS)
    return any(member in table and table[member].kind.secret for table in tables)


def read_buses(
    given: Iterable[Given], before: Buses
) -> tuple[dict[str, BusSettings], list[Problem]]:
    """What the sources say, later ones over earlier ones, over what was there ``before``."""
    found: dict[str, dict[str, Given]] = {}
    problems: list[Problem] = []
    for each in given:
        name, _, member = each.name.removeprefix(BUS).partition(".")
        if not member and each.value != {}:
            problems.append(
                Problem("a bus is a table of its own", each.written, hint=f"[bus.{name}]")
            )
        if not NAME.fullmatch(name):
            problems.append(Problem(f"{name[:40]!r} is no name of a bus", each.written, hint=NAMED))
            continue
        members = found.setdefault(name, {})
        if member:
            members[member] = each
    buses = dict(before)
    for name, members in found.items():
        bus, wrong = _read(name, members, before.get(name))
        problems += wrong
        if bus is not None:
            buses[name] = bus
    return buses, problems


def _read(
    name: str, members: dict[str, Given], before: BusSettings | None
) -> tuple[BusSettings | None, list[Problem]]:
    said = members.pop("kind", None)
    kind = said.value if said is not None else before.kind if before is not None else name
    table = _table_of(kind) if isinstance(kind, str) else None
    if table is None:
        written = f"bus.{name}.kind" if said is None else said.written
        hint = f"one of {', '.join(KINDS)}"
        return None, [Problem(f"no kind of bus is called {str(kind)[:60]!r}", written, hint=hint)]
    if before is None or before.kind != kind:
        before = table(name=name, kind=kind)
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for member, each in members.items():
        setting = _rows(table).get(member)
        if setting is None:
            problems.append(_unknown(kind, table, member, each))
            continue
        try:
            values[member] = setting.kind.read(each.value)
        except SettingsError as error:
            problems.append(Problem(error.message, each.written))
    if problems:
        return None, problems
    origins = {member: members[member].origin for member in values}
    return replace(before, **values, origins={**before.origins, **origins}), []


def _table_of(kind: str) -> type[BusSettings] | None:
    """Of another package's kind, what its module has as ``Settings``."""
    if kind in KINDS:
        return KINDS[kind]
    from importlib.metadata import entry_points

    for entry in entry_points(group="ostinato.buses", name=kind):
        table: type[BusSettings] = getattr(entry.load(), "Settings", BusSettings)
        return table
    return None


def _unknown(kind: str, table: type[BusSettings], member: str, given: Given) -> Problem:
    from difflib import get_close_matches

    rows = _rows(table)
    near = get_close_matches(member, rows, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(rows))}"
    return Problem(f"a bus of kind {kind} has no setting of this name", given.written, hint=hint)


def bus_rows(bus: BusSettings) -> list[tuple[Setting, str, str]]:
    """Each setting of it, how its value is shown, and who gave it."""
    rows = []
    for member, setting in _rows(type(bus)).items():
        named = replace(setting, name=f"{BUS}{bus.name}.{member}")
        rows.append((named, setting.shown(getattr(bus, member)), bus.origin(member)))
    return rows


__all__ = [
    "KINDS",
    "AwsSettings",
    "BullMqSettings",
    "BusSettings",
    "Buses",
    "EventBridgeSettings",
    "HttpSettings",
    "KafkaSettings",
    "MemoryBusSettings",
    "SnsSettings",
    "SqsSettings",
    "bus_rows",
    "bus_table",
    "is_secret",
    "read_buses",
]
