"""Values to rows and back. ``attrgetter`` builds a row without a line of Python per member."""

from __future__ import annotations

from operator import attrgetter, itemgetter
from typing import Any

import msgspec

from ostinato.core.cloudevents import Event
from ostinato.core.codec import NULL
from ostinato.core.commands import Want
from ostinato.errors import Damaged
from ostinato.ports import (
    AgedEvent,
    DamagedEvent,
    DeadLetter,
    Head,
    JobRow,
    Mail,
    Operation,
    Outgoing,
    Reply,
    StoredEvent,
    TaskEnd,
    TaskRow,
    Turn,
    Version,
    Wait,
)
from ostinato.storage.filling import Torn
from ostinato.telemetry.logger import logger

log = logger("ostinato.storage")

Row = tuple[Any, ...]

EVENT_DATA, LETTER_EVENT = 5, 7
TASK_ASKED, TASK_ANSWER = 9, 15
JOB_BRIEF = 8
"""Columns that may have holes; the one behind each says where."""

record_data = attrgetter("data")
event_data = itemgetter(6)
record_row = attrgetter("run_id", "seq", "at", "version", "data")
head_row = attrgetter(
    "run_id", "workflow", "version", "status", "started_at", "uid", "doing", "waiting_for", "busy",
    "ended_at", "error_name", "error_message", "event_source", "event_id",
)  # fmt: skip
head_change_row = attrgetter(
    "version", "status", "doing", "waiting_for", "busy", "ended_at", "error_name",
    "error_message", "run_id",
)  # fmt: skip
version_row = attrgetter("workflow", "version", "digest", "document", "created_at", "workflow_id")
_letter_head = attrgetter("id", "at", "kind", "target", "event_source", "event_id", "reasons")
_letter_tail = attrgetter("run_id", "attempts", "redriven_at", "redriven_by", "redriven_run")
redriven_row = attrgetter("reasons", "attempts", "redriven_at", "redriven_by", "redriven_run", "id")
place_row = attrgetter("name", "n", "run_id", "key")
schedule_row = attrgetter(
    "id", "workflow", "says", "next_for", "due_at", "planned_at", "waits_for", "last_for",
    "last_at", "last_run", "missed_for", "paused_at", "paused_by", "paused_why",
)  # fmt: skip
settled_row = attrgetter("outcome", "reason", "operation", "run_id")
_operation_head = attrgetter("id", "status", "expires_at", "ended_at")
_task_head = attrgetter(
    "id", "run_id", "key", "attempt", "workflow", "name", "assignee", "due_at", "opened_at",
)  # fmt: skip
_task_tail = attrgetter("status", "ended_at", "by", "outcome")
_job_head = attrgetter(
    "id", "run_id", "key", "attempt", "topic", "workflow", "priority", "ready_at",
)  # fmt: skip
_job_tail = attrgetter(
    "timeout", "deaths", "token", "worker", "claimed_at", "lease_until", "cancelled",
)  # fmt: skip
_wait_row = attrgetter("run_id", "key", "type", "values_key", "since")

_SHOWN = 1_000
"""Bytes of a row that cannot be read which are told."""

_UNREADABLE = (Damaged, msgspec.MsgspecError, ValueError, TypeError)
"""What a row of which something else has written a part may raise."""

_encoder = msgspec.json.Encoder()
_any_json = msgspec.json.Decoder(msgspec.Raw).decode
_decode_extensions = msgspec.json.Decoder(dict[str, str]).decode
_decode_keys = msgspec.json.Decoder(list[str]).decode
encoded = _encoder.encode
_decode_wants = msgspec.json.Decoder(tuple[Want, ...]).decode
_decode_operation = msgspec.json.Decoder(Operation).decode
_decode_event = msgspec.json.Decoder(Event).decode


def json_text(value: Any) -> str:
    return _encoder.encode(value).decode()


def event_row(number: int, stored: StoredEvent) -> Row:
    event = stored.event
    return (
        number,
        event.id,
        event.source,
        event.type,
        event.time,
        event.subject,
        bytes(event.data),
        None if event.extensions is None else json_text(event.extensions),
        event.description,
        stored.received_at,
        stored.answer,
        json_text(stored.values_keys) if stored.values_keys else None,
    )


def event_key_rows(number: int, stored: StoredEvent) -> list[Row]:
    kind, at = stored.event.type, stored.received_at
    return [(kind, values_key, at, number) for values_key in dict.fromkeys(stored.values_keys)]


def moved_head_row(first: Head, last: Head) -> Row:
    """A run that starts and moves on in one batch."""
    who = (first.run_id, first.workflow, last.version, last.status, first.started_at, first.uid)
    how = (last.doing, last.waiting_for, last.busy, last.ended_at)
    return (*who, *how, last.error_name, last.error_message, first.event_source, first.event_id)


def wait_row(wait: Wait, after: int) -> Row:
    return (*_wait_row(wait), after)


def reply_row(reply: Reply, answer: bytes, holes: str | None) -> Row:
    return reply.scope, reply.key, reply.digest, answer, holes, reply.at, reply.expires_at


def reply(row: Row) -> Reply:
    *first, _, at, expires_at = row
    return Reply(*(*first, at, expires_at))


def mail_row(mail: Mail) -> Row:
    return mail.kind, mail.to, mail.caller, mail.key, mail.attempt, mail.body


def mail(row: Row) -> Mail | None:
    """None, and a line in the log, when it cannot be read: nobody can be told of it."""
    *about, body = row
    try:
        _any_json(body)
    except _UNREADABLE as error:
        kind, told, caller, key, _ = about
        hint = (
            f"`ostinato retry {caller} {key}` calls anew, `ostinato skip {caller} {key}` does not"
        )
        log.error("mail.damaged", kind=kind, told=told, why=str(error), hint=hint)
        return None
    return Mail(*row)


def turn_row(turn: Turn) -> Row:
    return turn.run_id, turn.key, turn.priority, _encoder.encode(turn.wants)


def turn(row: Row) -> Turn:
    """Without wants, when they cannot be read."""
    run_id, key, priority, wants = row
    try:
        return Turn(run_id, key, priority, _decode_wants(wants))
    except _UNREADABLE:
        return Turn(run_id, key, priority, ())


def head(row: Row) -> Head:
    return Head(*(*row[:8], bool(row[8]), *row[9:]))


def event(row: Row) -> Event:
    """What cannot be read is a ``DamagedEvent``."""
    id, source, type, time, subject, data, _, extensions, description = row
    try:
        raw = _any_json(data)
        known = None if extensions is None else _decode_extensions(extensions)
    except _UNREADABLE as error:
        torn = Damaged(data.why) if isinstance(data, Torn) else error
        return _damaged(str(id), str(source), str(type), time, torn)
    return Event(id, source, type, time, subject, raw, known, description)


def stored_event(row: Row) -> StoredEvent:
    *members, received_at, answer, values_keys = row
    try:
        keys = () if values_keys is None else tuple(_decode_keys(values_keys))
    except _UNREADABLE:  # who waits for it finds it by other rows
        keys = ()
    return StoredEvent(event(tuple(members)), received_at, answer, keys)


def outgoing(row: Row) -> Outgoing:
    number, run_id, data, _, bus = row
    try:
        return Outgoing(_decode_event(data), run_id, number, bus)
    except _UNREADABLE as error:
        if isinstance(data, Torn):
            return Outgoing(_damaged("", "", "", 0, Damaged(data.why)), run_id, number, bus)
        return Outgoing(_damaged("", "", "", 0, error, data), run_id, number, bus)


def _damaged(
    id: str, source: str, type: str, time: Any, error: Exception, data: Any = b""
) -> DamagedEvent:
    """With the beginning of ``data``, where the row does not stay."""
    why = f"its row in the store cannot be read: {error}"
    if data:
        held = data if isinstance(data, bytes) else str(data).encode(errors="replace")
        why = f"{why}; it holds {held[:_SHOWN].decode(errors='replace')}"
    at = time if isinstance(time, int) else 0
    return DamagedEvent(id, source, type, at, None, NULL, None, f"damaged: {why}", why)


def version(row: Row) -> Version:
    return Version(*(*row[:6], bool(row[6])))


def letter_event(letter: DeadLetter) -> bytes:
    return b"" if letter.event is None else _encoder.encode(letter.event)


def letter_row(letter: DeadLetter, event: bytes, holes: str | None) -> Row:
    return (*_letter_head(letter), event.decode() or None, holes, *_letter_tail(letter))


def letter(row: Row) -> DeadLetter:
    """Without its event, when that cannot be read: its reasons still can."""
    *first, event, _, run_id, attempts, at, by, run = row
    try:
        known = None if event is None else _decode_event(event)
    except _UNREADABLE:
        known = None
    return DeadLetter(*(*first, known, run_id, attempts, at, by, run))


Kept = tuple[bytes | None, str | None]  # what stays in the row, and its holes


def task_row(task: TaskRow, asked: Kept, answer: Kept) -> Row:
    return (*_task_head(task), *asked, *_task_tail(task), *answer)


def task_end_row(end: TaskEnd, answer: Kept) -> Row:
    return (*_task_tail(end), *answer, end.id)


def task(row: Row) -> TaskRow:
    """What cannot be read is left as it is: whoever shows it says so."""
    asked, answer = _bytes_of(row[TASK_ASKED]), _bytes_of(row[TASK_ANSWER])
    told = row[TASK_ASKED + 2 : TASK_ANSWER]
    return TaskRow(*(*row[:TASK_ASKED], asked or b"", *told, answer))


def _bytes_of(held: Any) -> bytes | None:
    """Of what something else has written, too."""
    if held is None or isinstance(held, bytes):
        return held
    return str(held).encode(errors="replace")


def job_row(job: JobRow, brief: Kept) -> Row:
    return (*_job_head(job), *brief, *_job_tail(job))


def job(row: Row) -> JobRow:
    brief = _bytes_of(row[JOB_BRIEF]) or b""
    return JobRow(*(*row[:JOB_BRIEF], brief, *row[JOB_BRIEF + 2 : -1], bool(row[-1])))


def aged_event(row: Row) -> AgedEvent:
    return AgedEvent(*(*row[:5], bool(row[5])))


def operation_row(operation: Operation) -> Row:
    return (*_operation_head(operation), _encoder.encode(operation))


def operation(row: Row) -> Operation:
    """One that cannot be read is there, and says so."""
    id, status, data = row
    try:
        return _decode_operation(data)
    except _UNREADABLE as error:
        return Operation.damaged(id, status, f"its row in the store cannot be read: {error}")
