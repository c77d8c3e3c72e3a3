"""Jobs, and what stands in for them or takes them back: each does one thing."""

from __future__ import annotations

from typing import Any

from ostinato.core.expressions import Expression, Template, parse_template
from ostinato.core.model import (
    Again,
    Dedup,
    End,
    Limit,
    Meanwhile,
    OnError,
    Overflow,
    Repeat,
    Run,
    UidRule,
)
from ostinato.definitions.actions import Done, done_by
from ostinato.definitions.document import Body, Catch, Job
from ostinato.definitions.keys import ACTIONS, GOES_WITH, LATER_ACTIONS, NEEDS_CALLBACK
from ostinato.definitions.reader import Reader, ReadKind
from ostinato.definitions.source import Path, Place

__all__ = ["BODY_KINDS", "job_of", "limits_of", "mode_of"]


def job_of(reader: Reader, place: Place, path: Path) -> Job | None:
    members = reader.section("job", place, path)
    if members is None:
        return None
    body = _doing(reader, place, path, members)
    if body is None or members.get("job") is None:
        return None
    return Job(
        **body,
        name=members["job"],
        needs=members.get("needs") or (),
        when=members.get("when"),
        each=members.get("each"),
        optional=members.get("optional") or False,
        on_error=mode_of(members),
        limits=limits_of(members),
        catch=members.get("catch") or (),
        undo=members.get("undo"),
    )


def limits_of(members: dict[str, Any]) -> tuple[Limit, ...]:
    found = (members.get("concurrency"), members.get("rate"))
    return tuple(limit for limit in found if limit is not None)


def mode_of(members: dict[str, Any]) -> OnError | None:
    word = members.get("on_error")
    return None if word is None else OnError(word)


def _body(reader: Reader, place: Place, path: Path) -> Body | None:
    members = reader.section("body", place, path)
    if members is None:
        return None
    body = _doing(reader, place, path, members)
    return None if body is None else Body(**body)


def _doing(
    reader: Reader, place: Place, path: Path, members: dict[str, Any]
) -> dict[str, Any] | None:
    """The members of a ``Body``."""
    action = _action(reader, place, path, members)
    if action is None:
        return None
    _refuse_idle_keys(reader, place, path, members, action)
    _refuse_no_input(reader, place, path, members, action)
    done = done_by(action, members)
    if done is None:
        return None
    return {
        "path": path,
        "action": done.action,
        "input": done.input,
        "expect": members.get("expect") or done.expect,
        "repeat": members.get("repeat"),
        "retry": members.get("retry") or {},
        "timeout": _timeout(reader, place, path, members, done),
        "callback": members.get("callback") or False,
        "heartbeat": members.get("heartbeat"),
    }


def _action(reader: Reader, place: Place, path: Path, members: dict[str, Any]) -> str | None:
    found = [key for key in ACTIONS if key in members]
    later = [key for key in LATER_ACTIONS if key in members]
    if len(found) + len(later) > 1:
        names = " and ".join(f"`{key}`" for key in found + later)
        reader.say(
            place, path, f"a job does one thing, and this one has {names}", "make it two jobs"
        )
        return None
    if not found and not later:
        hint = "one of " + " ".join((*ACTIONS, *LATER_ACTIONS))
        reader.say(place, path, "a job does one thing, and this one has nothing to do", hint)
    return found[0] if found else None


def _refuse_idle_keys(
    reader: Reader, place: Place, path: Path, members: dict[str, Any], action: str
) -> None:
    """Nothing that is written is ignored: a key that would do nothing here is an error."""
    for key, actions in GOES_WITH.items():
        if key not in members:
            continue
        if action not in actions:
            hint = f"it goes with {', '.join(actions)}"
        elif action == "emit" and key in NEEDS_CALLBACK and not members.get("callback"):
            hint = "it goes with emit when the job has `callback: true`"
        else:
            continue
        reader.say(place.value[key], (*path, key), f"`{key}` does nothing beside `{action}`", hint)
    if "heartbeat" in members and action == "http" and not members.get("callback"):
        hint = "it goes with `callback: true`"
        reader.say(
            place.value["heartbeat"], (*path, "heartbeat"), "`heartbeat` does nothing here", hint
        )


def _refuse_no_input(
    reader: Reader, place: Place, path: Path, members: dict[str, Any], action: str
) -> None:
    """What another workflow is given is a map, or an expression that gives one."""
    given = place.value.get("with")
    if action != "call" or given is None or isinstance(given.value, dict):
        return
    if not isinstance(given.value, str) or not given.value.startswith("${"):
        reader.wants(given, (*path, "with"), "a map, the input of the run,")


def _timeout(
    reader: Reader, place: Place, path: Path, members: dict[str, Any], done: Done
) -> int | None:
    outer: int | None = members.get("timeout")
    if "timeout" in members and done.timed is False:
        message = "`timeout` does nothing beside a wait for a span or an instant"
        reader.say(place.value["timeout"], (*path, "timeout"), message)
    if outer is not None and done.timeout is not None:
        reader.say(place.value["timeout"], (*path, "timeout"), "the wait already has a timeout")
    return done.timeout if outer is None else outer


def _catches(reader: Reader, place: Place, path: Path) -> tuple[Catch, ...]:
    found = [_catch(reader, item, here) for item, here in reader.items(place, path)]
    for here, one in enumerate(found[:-1]):
        if one is not None and "*" in one.on:
            message = "what comes after it is never reached: it catches everything"
            reader.say(place.value[here], (*path, here), message, "put it last")
    return tuple(one for one in found if one is not None)


def _catch(reader: Reader, place: Place, path: Path) -> Catch | None:
    members = reader.section("catch", place, path)
    if members is None:
        return None
    if ("do" in members) == ("output" in members):
        hint = "write {on: [Timeout], do: {run: NAME}} or {on: [Timeout], output: null}"
        reader.say(place, path, "a catch has either `do` or `output`", hint)
        return None
    if members.get("on") is None:
        return None
    return Catch(on=members["on"], body=members.get("do"), output=_filled(members.get("output")))


def _filled(output: Expression | Template | None) -> Template | None:
    if isinstance(output, Expression):
        return parse_template(f"${{ {output.text} }}")
    return output


def _undo(reader: Reader, place: Place, path: Path) -> Body | None:
    if isinstance(place.value, dict):
        body = _body(reader, place, path)
        if body is not None and isinstance(body.action, End):
            reader.say(place, path, "`end` takes nothing back")
        return body
    handler = reader.kinds["handler"](reader, place, path)
    return None if handler is None else Body(path=path, action=Run(handler))


def _repeat(reader: Reader, place: Place, path: Path) -> Repeat | None:
    members = reader.section("repeat", place, path)
    if members is None or members.get("until") is None or members.get("every") is None:
        return None
    limit = {} if members.get("limit") is None else {"limit": members["limit"]}
    return Repeat(until=members["until"], every=members["every"], **limit)


def _concurrency(reader: Reader, place: Place, path: Path) -> Limit | None:
    members = reader.section("concurrency", place, path)
    if members is None or members.get("limit") is None:
        return None
    overflow = Overflow(members.get("overflow") or "queue")
    return Limit(key=members.get("key"), limit=members["limit"], overflow=overflow)


def _rate(reader: Reader, place: Place, path: Path) -> Limit | None:
    members = reader.section("rate", place, path)
    if members is None or members.get("limit") is None or members.get("per") is None:
        return None
    return Limit(key=members.get("key"), limit=members["limit"], per=members["per"])


def _uid(reader: Reader, place: Place, path: Path) -> UidRule | None:
    """An expression alone is the key; a trigger's rule has one."""
    if not isinstance(place.value, dict):
        key = reader.expression(place, path)
        return None if key is None else UidRule(key=key)
    members = reader.section("uid", place, path)
    if members is None:
        return None
    if not members and not place.value:
        reader.say(place, path, "this says nothing", _UID)
    if path[0] == "on" and "key" not in place.value:
        reader.say(place, path, "`key` is missing: it makes the uid of the event", _UID)
    rule = UidRule(
        key=members.get("key"),
        again=Again(members.get("again") or "new"),
        open=Meanwhile(members.get("open") or "same"),
    )
    return None if rule == UidRule() else rule


_UID = "write uid: {key: event.data.id, open: queue}; on a workflow, key: input.id"


def _dedup(reader: Reader, place: Place, path: Path) -> Dedup | None:
    members = reader.section("dedup", place, path)
    if members is None or members.get("key") is None or members.get("window") is None:
        return None
    return Dedup(key=members["key"], window=members["window"])


BODY_KINDS: dict[str, ReadKind] = {
    "body": _body,
    "catches": _catches,
    "undo": _undo,
    "repeat": _repeat,
    "concurrency": _concurrency,
    "rate": _rate,
    "uid": _uid,
    "dedup": _dedup,
}
