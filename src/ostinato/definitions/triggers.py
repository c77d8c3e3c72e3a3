"""What starts a run: an event type with its pattern, or a schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, tzinfo
from typing import Any

from ostinato.core.durations import format_duration
from ostinato.core.routes import is_wild
from ostinato.core.schedules import After, Plan
from ostinato.definitions.cron import cron, interval, time_zone
from ostinato.definitions.document import TriggerSpec
from ostinato.definitions.keys import TRIGGER_GOES_WITH, TRIGGERS
from ostinato.definitions.kinds import KINDS
from ostinato.definitions.reader import Reader, ReadKind
from ostinato.definitions.source import Path, Place
from ostinato.errors import DefinitionError

__all__ = ["TRIGGER_KINDS"]


def _triggers(reader: Reader, place: Place, path: Path) -> tuple[TriggerSpec, ...]:
    """A list; one alone, or the bare event type, stands for a list of one."""
    if isinstance(place.value, str | dict):
        return tuple(_trigger(reader, place, path, 0))
    found: list[TriggerSpec] = []
    names: set[str] = set()
    for item, here in reader.items(place, path):
        for one in _trigger(reader, item, here, len(found)):
            if one.name in names:
                reader.say(item.value["name"], (*here, "name"), f"two triggers are `{one.name}`")
            names |= {one.name} if one.name else set()
            found.append(one)
    return tuple(found)


def _trigger(reader: Reader, place: Place, path: Path, index: int) -> Iterator[TriggerSpec]:
    if isinstance(place.value, str) and place.value:
        yield TriggerSpec(index=index, types=(place.value,), path=path)
        return
    members = reader.section("trigger", place, path)
    if members is None or not _one_start(reader, place, path, members):
        return
    if any(map(is_wild, members.get("event") or ())) and "type" in (members.get("pattern") or {}):
        message = "`event` stands for several types, and `pattern` asks for a type, too"
        reader.say(place.value["pattern"], (*path, "pattern"), message, "say it in `event`")
    rule, uid = members.get("uid"), place.value.get("uid")
    yield TriggerSpec(
        index=index,
        types=members.get("event") or (),
        name=members.get("name"),
        path=path,
        plan=_plan(reader, place, path, members),
        pattern=members.get("pattern"),
        bus=members.get("bus"),
        input=members.get("input"),
        uid=None if rule is None else rule.key,
        rule=rule if isinstance(uid and uid.value, dict) else None,
    )


def _one_start(reader: Reader, place: Place, path: Path, members: dict[str, Any]) -> bool:
    found = [key for key in TRIGGERS if key in members]
    if len(found) != 1:
        message = "a trigger has `event`, `schedule` or `every`"
        if found:
            message = f"a trigger has one of {' and '.join(f'`{key}`' for key in found)}"
        reader.say(place, path, message, "make it two triggers" if found else "")
        return False
    for key, beside in TRIGGER_GOES_WITH.items():
        if key in members and found[0] not in beside:
            hint = f"it goes with {', '.join(beside)}"
            message = f"`{key}` does nothing beside `{found[0]}`"
            reader.say(place.value[key], (*path, key), message, hint)
    return members[found[0]] is not None


def _plan(reader: Reader, place: Place, path: Path, members: dict[str, Any]) -> Plan | None:
    if "event" in members:
        return None
    if "every" in members:
        span = members["every"]
        return _made(f"every {format_duration(span)}", interval(span), members)
    name, zone = ("UTC", UTC) if "zone" not in members else members["zone"] or (None, None)
    if zone is None:
        return None
    text = members["schedule"]
    after = _read(reader, place.value["schedule"], (*path, "schedule"), lambda: cron(text, zone))
    return None if after is None else _made(f"{text} {name}", after, members)


def _made(says: str, after: After, members: dict[str, Any]) -> Plan:
    return Plan(
        says,
        after,
        overlap=members.get("overlap") or "skip",
        catch_up=members.get("catch_up") or "last",
        jitter=members.get("jitter") or 0,
    )


def _cron(reader: Reader, place: Place, path: Path) -> str | None:
    """The expression, its spaces in order; in another zone it may mean another instant only."""
    text = KINDS["text"](reader, place, path)
    read = None if text is None else _read(reader, place, path, lambda: cron(text))
    return None if read is None else " ".join(text.split())


def _zone(reader: Reader, place: Place, path: Path) -> tuple[str, tzinfo] | None:
    text = KINDS["text"](reader, place, path)
    zone = None if text is None else _read(reader, place, path, lambda: time_zone(text))
    return None if zone is None else (text, zone)


def _interval(reader: Reader, place: Place, path: Path) -> int | None:
    span = KINDS["duration"](reader, place, path)
    if span is None or _read(reader, place, path, lambda: interval(span)) is None:
        return None
    return int(span)


def _read(reader: Reader, place: Place, path: Path, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except DefinitionError as error:
        for problem in error.problems:
            reader.say(place, path, problem.message, problem.hint)
        if not error.problems:
            reader.say(place, path, error.message)
        return None


TRIGGER_KINDS: dict[str, ReadKind] = {
    "triggers": _triggers,
    "cron": _cron,
    "zone": _zone,
    "interval": _interval,
}
