"""What a job does, and the maps with keys of their own: wait, emit, http, call, retry, each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ostinato.core.correlation import shape_of
from ostinato.core.expressions import Expression, Template, parse, parse_template
from ostinato.core.model import Action, Call, Each, Emit, End, Run, Set, WaitEvent, WaitUntil
from ostinato.core.patterns import Pattern
from ostinato.definitions.kinds import KINDS
from ostinato.definitions.reader import Reader, ReadKind
from ostinato.definitions.source import Path, Place
from ostinato.errors import DefinitionError

__all__ = ["ACTION_KINDS", "HTTP_EXPECTS", "Done", "done_by"]

HTTP_HANDLER = "http"
HTTP_EXPECTS = "output.status < 400"


@dataclass(frozen=True, slots=True)
class Done:
    """``timeout`` is one inside the action; ``timed`` says whether one could do anything."""

    action: Action
    input: Template | None = None
    expect: Expression | None = None
    timeout: int | None = None
    timed: bool = True


def done_by(key: str, members: dict[str, Any]) -> Done | None:
    """What the job does by its one action; None when that could not be read."""
    value = members[key]
    if value is None or isinstance(value, Done):
        return value
    if key in ("run", "call"):
        return Done(Run(value) if key == "run" else value, members.get("with"))
    if key == "end":
        return Done(End(value))
    return Done(Set(), value)


def _wait(reader: Reader, place: Place, path: Path) -> Done | None:
    if isinstance(place.value, str) and "${" in place.value:
        return _until(reader.template(place, path), place)
    if not isinstance(place.value, dict):
        span = KINDS["duration"](reader, place, path)
        return None if span is None else Done(WaitUntil(span), timed=False)
    members = reader.section("wait", place, path)
    if members is None or not _one_wait(reader, place, path, members):
        return None
    if "until" in members:
        until = members["until"]
        if until is None:
            return None
        source = parse_template({"until": f"${{ {until.text} }}"})
        return Done(WaitUntil(), source, timed=False)
    if members["event"] is None or ("match" in members and members["match"] is None):
        return None
    pattern, match = members.get("match") or ({}, None)
    action = WaitEvent(members["event"], shape_of(pattern), members.get("look_back"))
    return Done(action, match, timeout=members.get("timeout"))


def _until(template: Template | None, place: Place) -> Done | None:
    if template is None:
        return None
    return Done(WaitUntil(), parse_template({"until": place.value}), timed=False)


def _one_wait(reader: Reader, place: Place, path: Path, members: dict[str, Any]) -> bool:
    if "until" in members and "event" in members:
        hint = "a wait for an event gives up after `timeout`: {event: …, timeout: 3d}"
        reader.say(place, path, "`until` does nothing beside `event`", hint)
        return False
    if "until" not in members and "event" not in members:
        hint = "write wait: 5m, wait: {until: …} or wait: {event: …}"
        reader.say(place, path, "a wait has either `until` or `event`", hint)
        return False
    idle = [key for key in ("match", "timeout", "look_back") if key in members]
    if "until" in members and idle:
        names = ", ".join(f"`{key}`" for key in idle)
        reader.say(place, path, f"{names} does nothing beside `until`", "it goes with `event`")
        return False
    return True


def _match(reader: Reader, place: Place, path: Path) -> tuple[dict[str, Any], Template] | None:
    """A pattern whose values may be expressions."""
    if not isinstance(place.value, dict):
        reader.wants(place, path, "a pattern, a map,", "data: {member: [value]}")
        return None
    template = reader.template(place, path)
    pattern: dict[str, Any] = place.data()
    try:
        Pattern(_constant(pattern))
    except DefinitionError as error:
        for problem in error.problems or (error.message,):
            reader.say(place, path, str(problem), "a value stands in a list: [${ … }]")
        return None
    return None if template is None else (pattern, template)


def _constant(pattern: Any) -> Any:
    """The pattern with a test that always fits for each one that only a run can complete."""
    if isinstance(pattern, dict):
        return {key: _constant(value) for key, value in pattern.items()}
    if isinstance(pattern, list):
        return [{"exists": True} if _open(value) else value for value in pattern]
    return pattern


def _open(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_open(one) for one in value.values())
    if isinstance(value, list):
        return any(_open(one) for one in value)
    return isinstance(value, str) and "${" in value


def _emit(reader: Reader, place: Place, path: Path) -> Done | None:
    return _mapped(reader, "emit", place, path, Emit())


def _http(reader: Reader, place: Place, path: Path) -> Done | None:
    return _mapped(reader, "http", place, path, Run(HTTP_HANDLER), parse(HTTP_EXPECTS))


def _call(reader: Reader, place: Place, path: Path) -> Call | None:
    """The name of a workflow alone, or a map."""
    before = len(reader.problems)
    short = not isinstance(place.value, dict)
    if short:
        reader.kinds["filled"](reader, place, path)
    else:
        reader.section("call", place, path)
    if len(reader.problems) > before:
        return None
    return Call(parse_template({"workflow": place.value} if short else place.data()))


def _mapped(
    reader: Reader,
    section: str,
    place: Place,
    path: Path,
    action: Action,
    expect: Expression | None = None,
) -> Done | None:
    before = len(reader.problems)
    members = reader.section(section, place, path)
    if members is None or len(reader.problems) > before:
        return None
    data = place.data()
    if section == "http":
        data |= {"method": members.get("method", "GET")}
    return Done(action, parse_template(data), expect)


def _each(reader: Reader, place: Place, path: Path) -> Each | None:
    members = reader.section("each", place, path)
    if members is None or members.get("in") is None:
        return None
    tolerate, percent = members.get("tolerate") or (0.0, False)
    return Each(
        items=members["in"],
        name=members.get("as") or "item",
        at_once=members.get("at_once") or 10,
        tolerate=tolerate,
        percent=percent,
    )


def _retry(reader: Reader, place: Place, path: Path) -> dict[str, Any] | None:
    """Only the members that are written: the rest may be the handler's."""
    if isinstance(place.value, dict):
        return reader.section("retry", place, path)
    attempts = KINDS["count"](reader, place, path)
    return None if attempts is None else {"attempts": attempts}


ACTION_KINDS: dict[str, ReadKind] = {
    "wait": _wait,
    "match": _match,
    "emit": _emit,
    "http": _http,
    "call": _call,
    "each": _each,
    "retry": _retry,
}
