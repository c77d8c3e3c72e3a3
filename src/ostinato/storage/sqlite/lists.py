"""What lists and pages read: the filters that were given, joined to one statement."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from ostinato.ports import (
    DeadLetter,
    EventQuery,
    Head,
    LetterQuery,
    Page,
    RunGroup,
    RunQuery,
    StoredEvent,
    TaskQuery,
    TaskRow,
)
from ostinato.ports.grouping import merged
from ostinato.storage import rows
from ostinato.storage.cursor import place_in
from ostinato.storage.sqlite.statements import HEAD, LETTER, STORED, TASK
from ostinato.storage.sqlite.values import as_far_as_whole

Condition = tuple[str, tuple[Any, ...]]

_LAST_CHARACTER = chr(0x10FFFF)
_ALL = -1
_PLACE = "source || '/' || id"
_IN_ASKED = "? IN (SELECT value FROM json_each(CAST(asked AS TEXT), '$.{}'))"
_GROUP = "workflow, status, waiting_for, error_name, error_message"
_TEXTS = ("run_id", "uid", "workflow", "error_message")
_LETTER_TEXTS = (
    "id", "target", "event_source", "event_id", "json_extract(event, '$.type')",
    "CAST(reasons AS TEXT)",
)  # fmt: skip


def runs(db: sqlite3.Connection, query: RunQuery, page: Page) -> list[Head]:
    conditions = list(_run_conditions(query))
    if page.cursor is not None:
        conditions.append(("run_id < ?", (page.cursor,)))
    order = "ORDER BY run_id DESC LIMIT ?"
    return [rows.head(row) for row in _ask(db, _from("run", HEAD), conditions, order, page.limit)]


def count_runs(db: sqlite3.Connection, query: RunQuery) -> int:
    return _count(db, _from("run", "count(*)"), list(_run_conditions(query)))


def run_groups(db: sqlite3.Connection, query: RunQuery, limit: int) -> list[RunGroup]:
    numbers = "count(*), min(run_id), max(run_id), min(started_at), max(ended_at)"
    order = f"GROUP BY {_GROUP} ORDER BY count(*) DESC, min(run_id) LIMIT ?"
    select = _from("run", f"{_GROUP}, {numbers}")
    found = _ask(db, select, list(_run_conditions(query)), order, _ALL)
    return merged((RunGroup(*row) for row in found), limit)


def events(db: sqlite3.Connection, query: EventQuery, page: Page) -> list[StoredEvent]:
    conditions = list(_event_conditions(query))
    if page.cursor is not None:
        conditions.append((f"(received_at, {_PLACE}) < (?, ?)", place_in(page.cursor)))
    order = f"ORDER BY received_at DESC, {_PLACE} DESC LIMIT ?"
    select, asked = _asked(_from("event", STORED), conditions, order, page.limit)
    found = as_far_as_whole(db, select, asked, rows.EVENT_DATA)
    return [rows.stored_event(row) for row in found]


def count_events(db: sqlite3.Connection, query: EventQuery) -> int:
    return _count(db, _from("event", "count(*)"), list(_event_conditions(query)))


def dead_letters(db: sqlite3.Connection, query: LetterQuery, page: Page) -> list[DeadLetter]:
    conditions = list(_letter_conditions(query))
    than, way = (">", "ASC") if query.oldest_first else ("<", "DESC")
    if page.cursor is not None:
        conditions.append((f"(at, id) {than} (?, ?)", place_in(page.cursor)))
    order = f"ORDER BY at {way}, id {way} LIMIT ?"
    select, asked = _asked(_from("dead_letter", LETTER), conditions, order, page.limit)
    found = as_far_as_whole(db, select, asked, rows.LETTER_EVENT)
    return [rows.letter(row) for row in found]


def count_dead_letters(db: sqlite3.Connection, query: LetterQuery) -> int:
    return _count(db, _from("dead_letter", "count(*)"), list(_letter_conditions(query)))


def tasks(db: sqlite3.Connection, query: TaskQuery, page: Page) -> list[TaskRow]:
    conditions = list(_task_conditions(query))
    if page.cursor is not None:
        conditions.append(("(opened_at, id) < (?, ?)", place_in(page.cursor)))
    order = "ORDER BY opened_at DESC, id DESC LIMIT ?"
    select, asked = _asked(_from("task", TASK), conditions, order, page.limit)
    found = as_far_as_whole(db, select, asked, rows.TASK_ASKED, rows.TASK_ANSWER)
    return list(map(rows.task, found))


def count_tasks(db: sqlite3.Connection, query: TaskQuery) -> int:
    return _count(db, _from("task", "count(*)"), list(_task_conditions(query)))


def _from(table: str, columns: str) -> str:
    return f"SELECT {columns} FROM {table}"


def _run_conditions(query: RunQuery) -> Iterator[Condition]:
    if query.status:
        yield f"status IN ({', '.join('?' * len(query.status))})", query.status
    if query.workflow is not None:
        yield "workflow = ?", (query.workflow,)
    if query.uid is not None:
        yield "uid = ?", (query.uid,)
    if query.waiting_for is not None:
        yield "waiting_for = ?", (query.waiting_for,)
    if query.failed_since is not None:
        yield "status = 'failed' AND ended_at >= ?", (query.failed_since,)
    if query.id_prefix:
        last = query.id_prefix + _LAST_CHARACTER
        yield "run_id >= ? AND run_id < ?", (query.id_prefix, last)
    if query.text is not None:
        yield _has_text(query.text, _TEXTS)


def _has_text(text: str, columns: tuple[str, ...]) -> Condition:
    """instr, not LIKE: nothing to escape, no limit on the pattern."""
    found = " OR ".join(f"instr(lower({column}), lower(?))" for column in columns)
    return f"({found})", (text,) * len(columns)


def _letter_conditions(query: LetterQuery) -> Iterator[Condition]:
    if query.kind is not None:
        yield "kind = ?", (query.kind,)
    if query.target is not None:
        yield "target = ?", (query.target,)
    if query.since is not None:
        yield "at >= ?", (query.since,)
    if query.redriven is not None:
        yield f"redriven_at IS {'NOT ' if query.redriven else ''}NULL", ()
    if query.text is not None:
        yield _has_text(query.text, _LETTER_TEXTS)


def _task_conditions(query: TaskQuery) -> Iterator[Condition]:
    if query.status == ("pending",):
        yield "status = 'pending'", ()  # written out: so the index of those is used
    elif query.status:
        yield f"status IN ({', '.join('?' * len(query.status))})", query.status
    if query.assignee is not None:
        yield "assignee = ?", (query.assignee,)
    if query.candidate is not None:
        yield _IN_ASKED.format("candidates"), (query.candidate,)
    if query.group is not None:
        yield _IN_ASKED.format("groups"), (query.group,)
    if query.workflow is not None:
        yield "workflow = ?", (query.workflow,)
    if query.run_id is not None:
        yield "run_id = ?", (query.run_id,)
    if query.overdue_at is not None:
        yield "status = 'pending' AND due_at < ?", (query.overdue_at,)
    if query.id_prefix:
        last = query.id_prefix + _LAST_CHARACTER
        yield "id >= ? AND id < ?", (query.id_prefix, last)


def _event_conditions(query: EventQuery) -> Iterator[Condition]:
    if query.type is not None:
        yield "type = ?", (query.type,)
    if query.source is not None:
        yield "source = ?", (query.source,)
    if query.since is not None:
        yield "received_at >= ?", (query.since,)


def _ask(
    db: sqlite3.Connection, select: str, conditions: list[Condition], order: str, limit: int
) -> sqlite3.Cursor:
    return db.execute(*_asked(select, conditions, order, limit))


def _asked(
    select: str, conditions: list[Condition], order: str, limit: int
) -> tuple[str, tuple[Any, ...]]:
    return f"{select}{_where(conditions)} {order}", (*_values(conditions), limit)


def _count(db: sqlite3.Connection, select: str, conditions: list[Condition]) -> int:
    (count,) = db.execute(f"{select}{_where(conditions)}", _values(conditions)).fetchone()
    return int(count)


def _where(conditions: list[Condition]) -> str:
    return " WHERE " + " AND ".join(text for text, _ in conditions) if conditions else ""


def _values(conditions: list[Condition]) -> tuple[Any, ...]:
    return tuple(value for _, values in conditions for value in values)
