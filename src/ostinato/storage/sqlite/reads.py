"""What the engine reads: short queries over an index, one connection as the first argument."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from itertools import starmap

from ostinato.core.cloudevents import Event
from ostinato.core.schedules import Schedule
from ostinato.ports import (
    AgedEvent,
    DeadLetter,
    Head,
    Mail,
    Operation,
    Outgoing,
    Page,
    Place,
    Record,
    Reply,
    StoredEvent,
    Tally,
    TaskRow,
    Timer,
    Turn,
    Version,
    Wait,
)
from ostinato.storage import rows
from ostinato.storage.rows import EVENT_DATA, LETTER_EVENT
from ostinato.storage.sqlite import statements as sql
from ostinato.storage.sqlite.values import as_far_as_whole, up_to, whole

_WAIT_COLUMNS = 5
_BEHIND_ALL = chr(0x10FFFF)
_RECORD_DATA, _REPLY_ANSWER, _OUTGOING_EVENT = 4, 3, 2


def history(db: sqlite3.Connection, run_id: str, after: int, limit: int | None) -> list[Record]:
    asked = (run_id, run_id, after, -1 if limit is None else limit)
    return [Record(*row[:-1]) for row in whole(db, sql.HISTORY, asked, _RECORD_DATA)]


def head(db: sqlite3.Connection, run_id: str) -> Head | None:
    row = db.execute(sql.ONE_HEAD, (run_id,)).fetchone()
    return None if row is None else rows.head(row)


def busy_runs(db: sqlite3.Connection) -> list[str]:
    return [run_id for (run_id,) in db.execute(sql.BUSY_RUNS)]


def open_runs(
    db: sqlite3.Connection, pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    found = db.execute(sql.OPEN_RUNS, (rows.json_text(pairs),))
    return {(workflow, uid): run_id for workflow, uid, run_id in found}


def due_timers(
    db: sqlite3.Connection, now: int, limit: int, workflow: str | None = None
) -> list[Timer]:
    if workflow is None:
        return list(starmap(Timer, db.execute(sql.DUE_TIMERS, (now, limit))))
    return list(starmap(Timer, db.execute(sql.DUE_TIMERS_OF, (now, workflow, limit))))


def next_timer(db: sqlite3.Connection) -> int | None:
    (due_at,) = db.execute(sql.NEXT_TIMER).fetchone()
    return None if due_at is None else int(due_at)


def schedules(db: sqlite3.Connection, ids: Sequence[str] | None) -> list[Schedule]:
    if ids is None:
        return list(starmap(Schedule, db.execute(sql.SCHEDULES)))
    return list(starmap(Schedule, db.execute(sql.SOME_SCHEDULES, (rows.json_text(ids),))))


def due_schedules(db: sqlite3.Connection, now: int, limit: int) -> list[Schedule]:
    return list(starmap(Schedule, db.execute(sql.DUE_SCHEDULES, (now, limit))))


def next_schedule(db: sqlite3.Connection) -> int | None:
    (due_at,) = db.execute(sql.NEXT_SCHEDULE).fetchone()
    return None if due_at is None else int(due_at)


def find_waits(
    db: sqlite3.Connection, type: str, values_keys: Sequence[str], event: tuple[str, str] | None
) -> list[Wait]:
    source, event_id = (None, None) if event is None else event
    found = db.execute(sql.FIND_WAITS, (rows.json_text(values_keys), type, event_id, source))
    return list(starmap(Wait, found))


def early_events(db: sqlite3.Connection, type: str, values_key: str, since: int) -> list[Event]:
    found = as_far_as_whole(db, sql.EARLY_EVENTS, (type, values_key, since), EVENT_DATA)
    return list(map(rows.event, found))


def missed(db: sqlite3.Connection) -> list[tuple[Wait, Event]]:
    return [
        (Wait(*row[:_WAIT_COLUMNS]), rows.event(row[_WAIT_COLUMNS:]))
        for row in as_far_as_whole(db, sql.MISSED, (), _WAIT_COLUMNS + EVENT_DATA)
    ]


def known_events(
    db: sqlite3.Connection, pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], StoredEvent]:
    known = as_far_as_whole(db, sql.KNOWN_EVENTS, (rows.json_text(pairs),), EVENT_DATA)
    found = map(rows.stored_event, known)
    return {(stored.event.source, stored.event.id): stored for stored in found}


def reply(db: sqlite3.Connection, scope: str, key: str, now: int) -> Reply | None:
    found = whole(db, sql.ONE_REPLY, (scope, key, now), _REPLY_ANSWER)
    return rows.reply(found[0]) if found else None


def places(db: sqlite3.Connection) -> list[Place]:
    return list(starmap(Place, db.execute(sql.PLACES)))


def turns(db: sqlite3.Connection) -> list[Turn]:
    return list(map(rows.turn, db.execute(sql.TURNS)))


def buckets(db: sqlite3.Connection) -> dict[str, int]:
    return dict(db.execute(sql.BUCKETS).fetchall())


def mail(db: sqlite3.Connection) -> list[Mail]:
    return list(filter(None, map(rows.mail, db.execute(sql.MAIL))))


def outbox(
    db: sqlite3.Connection, limit: int, size: int, bus: str, besides: Sequence[int]
) -> list[Outgoing]:
    asked = (bus, json.dumps(list(besides)), limit)
    return list(map(rows.outgoing, up_to(db, sql.OUTBOX, asked, _OUTGOING_EVENT, size)))


def backlog(db: sqlite3.Connection) -> dict[str, int]:
    return dict(db.execute(sql.BACKLOG))


def versions(db: sqlite3.Connection) -> list[Version]:
    return list(map(rows.version, db.execute(sql.VERSIONS)))


def events_by_id(db: sqlite3.Connection, event_id: str) -> list[StoredEvent]:
    return list(
        map(rows.stored_event, as_far_as_whole(db, sql.EVENTS_BY_ID, (event_id,), EVENT_DATA))
    )


def task(db: sqlite3.Connection, task_id: str) -> TaskRow | None:
    found = as_far_as_whole(db, sql.ONE_TASK, (task_id,), rows.TASK_ASKED, rows.TASK_ANSWER)
    return rows.task(found[0]) if found else None


def dead_letter(db: sqlite3.Connection, letter_id: str) -> DeadLetter | None:
    found = as_far_as_whole(db, sql.ONE_LETTER, (letter_id,), LETTER_EVENT)
    return rows.letter(found[0]) if found else None


# repairs of many runs


def operation(db: sqlite3.Connection, operation_id: str) -> Operation | None:
    row = db.execute(sql.ONE_OPERATION, (operation_id,)).fetchone()
    return None if row is None else rows.operation(row)


def operations(db: sqlite3.Connection, page: Page) -> list[Operation]:
    before = _BEHIND_ALL if page.cursor is None else page.cursor
    return list(map(rows.operation, db.execute(sql.OPERATIONS, (before, page.limit))))


def running_operations(db: sqlite3.Connection) -> list[Operation]:
    return list(map(rows.operation, db.execute(sql.RUNNING_OPERATIONS)))


def operation_runs(db: sqlite3.Connection, operation_id: str, after: str, limit: int) -> list[str]:
    found = db.execute(sql.OPERATION_RUNS, (operation_id, after, limit))
    return [run_id for (run_id,) in found]


def operation_run(db: sqlite3.Connection, operation_id: str, run_id: str) -> str | None:
    row = db.execute(sql.OPERATION_RUN, (operation_id, run_id)).fetchone()
    return None if row is None else str(row[0])


def operation_tally(db: sqlite3.Connection, operation_id: str) -> list[Tally]:
    return list(starmap(Tally, db.execute(sql.OPERATION_TALLY, (operation_id,))))


def aged_operations(db: sqlite3.Connection, now: int, before: int | None, limit: int) -> list[str]:
    return [one for (one,) in db.execute(sql.AGED_OPERATIONS, (now, before, limit))]


# what the janitor reads


def over_runs(
    db: sqlite3.Connection, workflow: str, status: str, before: int, limit: int
) -> list[str]:
    found = db.execute(sql.OVER_RUNS, (workflow, status, before, limit))
    return [run_id for (run_id,) in found]


def oldest_open(db: sqlite3.Connection) -> dict[str, int]:
    return dict(db.execute(sql.OLDEST_OPEN).fetchall())


def aged_events(db: sqlite3.Connection, after: int, limit: int) -> list[AgedEvent]:
    return list(map(rows.aged_event, db.execute(sql.AGED_EVENTS, (after, limit))))


def aged_letters(db: sqlite3.Connection, before: int, limit: int) -> list[str]:
    return [letter_id for (letter_id,) in db.execute(sql.AGED_LETTERS, (before, limit))]


def expired_replies(db: sqlite3.Connection, now: int, limit: int) -> list[tuple[str, str]]:
    return list(db.execute(sql.EXPIRED_REPLIES, (now, limit)))


def unswept(db: sqlite3.Connection) -> bool:
    return any(db.execute(*left).fetchone() for left in ((sql.REMOVED, (1,)), (sql.ANY_LOOSE, ())))
