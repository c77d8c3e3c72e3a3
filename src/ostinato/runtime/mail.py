"""What runs tell each other, as rows: a command of one run becomes an event of another.

One is written with the facts that cause it, and goes away with the facts that it causes: a crash
between the two loses nothing, and nothing happens twice.
"""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import msgspec

from ostinato.core import commands as c
from ostinato.core import events as e
from ostinato.core.callers import Caller
from ostinato.ports import Mail

Message = c.CallRun | c.HangUp | c.AnswerCall


def _is_event(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, e.Event)


class Joined(msgspec.Struct, frozen=True):
    """The run that is open under the uid that was called; ``own``: it was begun for this call."""

    run_id: str
    own: bool = False


class Said(msgspec.Struct, frozen=True, array_like=True):
    """An event by the name of its type, and what it has of members."""

    name: str
    members: dict[str, msgspec.Raw]


_EVENTS = {kind.__name__: kind for kind in vars(e).values() if _is_event(kind)}


def mail_of(run_id: str, said: Message) -> Mail:
    """What the run of this id says, and to whom."""
    body = msgspec.json.encode(said)
    match said:
        case c.CallRun(caller, called):
            return Mail("call", called, caller.run, caller.key, caller.attempt, body)
        case c.HangUp(key, attempt, called):
            return Mail("hangup", called, run_id, key, attempt, body)
        case c.AnswerCall(caller):
            return Mail("answer", caller.run, caller.run, caller.key, caller.attempt, body)


def said(event: e.Event) -> bytes:
    """An event for a run of another process."""
    given = {name: getattr(event, name) for name in event.__struct_fields__}
    members = {
        name: msgspec.Raw(msgspec.json.encode(value))
        for name, value in given.items()
        if value is not None
    }
    return msgspec.json.encode(Said(type(event).__name__, members))


def said_in(body: bytes) -> e.Event:
    found = msgspec.json.decode(body, type=Said)
    kind = _EVENTS[found.name]
    hints = get_type_hints(kind)
    members = {name: _member(raw, hints[name]) for name, raw in found.members.items()}
    event: e.Event = kind(**members)
    return event


def _member(raw: msgspec.Raw, hint: Any) -> Any:
    if msgspec.Raw in (hint, *get_args(hint)):
        return msgspec.Raw(bytes(raw))
    return msgspec.json.decode(raw, type=hint)


def joined(caller: Caller, run_id: str, *, own: bool = False) -> Mail:
    body = msgspec.json.encode(Joined(run_id, own))
    return Mail("joined", caller.run, caller.run, caller.key, caller.attempt, body)


def join(caller: Caller, run_id: str) -> Mail:
    body = msgspec.json.encode(caller)
    return Mail("join", run_id, caller.run, caller.key, caller.attempt, body)


def caller_in(mail: Mail) -> Caller:
    return msgspec.json.decode(mail.body, type=Caller)


def call_in(mail: Mail) -> c.CallRun:
    return msgspec.json.decode(mail.body, type=c.CallRun)


def event_in(mail: Mail) -> e.Event:
    """What whoever is told of it is to hear."""
    match mail.kind:
        case "answer":
            said = msgspec.json.decode(mail.body, type=c.AnswerCall)
            return e.CallAnswered(mail.key, mail.attempt, said.output, said.error, said.refused)
        case "joined":
            told = msgspec.json.decode(mail.body, type=Joined)
            return e.CallMoved(mail.key, mail.attempt, told.run_id, told.own)
        case "tell":
            return said_in(mail.body)
        case _:
            why = f"step {mail.key} of run {mail.caller}, which called it, goes on without it"
            return e.CancelRequested(f"run {mail.caller}", why)
