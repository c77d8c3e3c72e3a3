"""What runs tell each other, as rows: a command of one run becomes an event of another.

One is written with the facts that cause it, and goes away with the facts that it causes: a crash
between the two loses nothing, and nothing happens twice.
"""

from __future__ import annotations

import msgspec

from ostinato.core import commands as c
from ostinato.core import events as e
from ostinato.core.callers import Caller
from ostinato.ports import Mail

Message = c.CallRun | c.HangUp | c.AnswerCall


class Joined(msgspec.Struct, frozen=True):
    """The run that is open under the uid that was called."""

    run_id: str


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


def joined(caller: Caller, run_id: str) -> Mail:
    body = msgspec.json.encode(Joined(run_id))
    return Mail("joined", caller.run, caller.run, caller.key, caller.attempt, body)


def call_in(mail: Mail) -> c.CallRun:
    return msgspec.json.decode(mail.body, type=c.CallRun)


def event_in(mail: Mail) -> e.Event:
    """What whoever is told of it is to hear."""
    match mail.kind:
        case "answer":
            said = msgspec.json.decode(mail.body, type=c.AnswerCall)
            return e.CallAnswered(mail.key, mail.attempt, said.output, said.error, said.refused)
        case "joined":
            run_id = msgspec.json.decode(mail.body, type=Joined).run_id
            return e.CallMoved(mail.key, mail.attempt, run_id)
        case _:
            why = f"step {mail.key} of run {mail.caller}, which called it, goes on without it"
            return e.CancelRequested(f"run {mail.caller}", why)
