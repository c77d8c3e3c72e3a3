"""What lists and pages read: the filters that were given, joined to one statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
from ostinato.storage.postgres.arrays import Argument, number, sought, soughts
from ostinato.storage.postgres.conditions import Condition, asked, numbered, where
from ostinato.storage.postgres.link import Link
from ostinato.storage.postgres.statements import HEAD, LETTER, STORED, TASK
from ostinato.storage.postgres.values import as_far_as_whole

"""``{}`` stands for an argument."""

_LAST_CHARACTER = chr(0x10FFFF)
_PLACE = "(source || '/' || id)"
_GROUP = "workflow, status, waiting_for, error_name, error_message"
_TEXTS = ("run_id", "uid", "workflow", "error_message")
_LETTER_TEXTS = (
    "id", "target", "event_source", "event_id", "event_type", "convert_from(reasons, 'UTF8')",
)  # fmt: skip


async def runs(link: Link, query: RunQuery, page: Page) -> list[Head]:
    conditions = list(_run_conditions(query))
    if page.cursor is not None:
        conditions.append(("run_id < {}::text", (sought(page.cursor),)))
    order = "ORDER BY run_id DESC"
    found = await link.rows(asked(_from("run", HEAD), conditions, order, page.limit))
    return list(map(rows.head, found))


async def count_runs(link: Link, query: RunQuery) -> int:
    return await _count(link, "run", list(_run_conditions(query)))


async def run_groups(link: Link, query: RunQuery, limit: int) -> list[RunGroup]:
    numbers = "count(*), min(run_id), max(run_id), min(started_at), max(ended_at)"
    order = f"GROUP BY {_GROUP} ORDER BY count(*) DESC, min(run_id)"
    select = _from("run", f"{_GROUP}, {numbers}")
    found = await link.rows(asked(select, list(_run_conditions(query)), order, None))
    return merged((RunGroup(*row) for row in found), limit)


async def events(link: Link, query: EventQuery, page: Page) -> list[StoredEvent]:
    conditions = list(_event_conditions(query))
    if page.cursor is not None:
        received_at, place = place_in(page.cursor)
        before = f"(received_at, {_PLACE}) < ({{}}::int8, {{}}::text)"
        conditions.append((before, (number(received_at), sought(place))))
    order = f"ORDER BY received_at DESC, {_PLACE} DESC"
    asking = asked(_from("event", STORED), conditions, order, page.limit)
    return list(map(rows.stored_event, await as_far_as_whole(link, asking, rows.EVENT_DATA)))


async def count_events(link: Link, query: EventQuery) -> int:
    return await _count(link, "event", list(_event_conditions(query)))


async def dead_letters(link: Link, query: LetterQuery, page: Page) -> list[DeadLetter]:
    conditions = list(_letter_conditions(query))
    than, way = (">", "ASC") if query.oldest_first else ("<", "DESC")
    if page.cursor is not None:
        at, id = place_in(page.cursor)
        behind = f"(at, id) {than} ({{}}::int8, {{}}::text)"
        conditions.append((behind, (number(at), sought(id))))
    order = f"ORDER BY at {way}, id {way}"
    asking = asked(_from("dead_letter", LETTER), conditions, order, page.limit)
    return list(map(rows.letter, await as_far_as_whole(link, asking, rows.LETTER_EVENT)))


async def count_dead_letters(link: Link, query: LetterQuery) -> int:
    return await _count(link, "dead_letter", list(_letter_conditions(query)))


async def tasks(link: Link, query: TaskQuery, page: Page) -> list[TaskRow]:
    conditions = list(_task_conditions(query))
    if page.cursor is not None:
        opened_at, id = place_in(page.cursor)
        before = "(opened_at, id) < ({}::int8, {}::text)"
        conditions.append((before, (number(opened_at), sought(id))))
    order = "ORDER BY opened_at DESC, id DESC"
    asking = asked(_from("task", TASK), conditions, order, page.limit)
    found = await as_far_as_whole(link, asking, rows.TASK_ASKED, rows.TASK_ANSWER)
    return list(map(rows.task, found))


async def count_tasks(link: Link, query: TaskQuery) -> int:
    return await _count(link, "task", list(_task_conditions(query)))


def _from(table: str, columns: str) -> str:
    return f"SELECT {columns} FROM {table}"


def _run_conditions(query: RunQuery) -> Iterator[Condition]:
    if query.status:
        yield _one_of("status", query.status)
    if query.workflow is not None:
        yield _is("workflow", query.workflow)
    if query.uid is not None:
        yield _is("uid", query.uid)
    if query.waiting_for is not None:
        yield _is("waiting_for", query.waiting_for)
    if query.failed_since is not None:
        yield "status = 'failed' AND ended_at >= {}::int8", (number(query.failed_since),)
    if query.id_prefix:
        yield _begins("run_id", query.id_prefix)
    if query.text is not None:
        yield _has_text(query.text, _TEXTS)


def _letter_conditions(query: LetterQuery) -> Iterator[Condition]:
    if query.kind is not None:
        yield _is("kind", query.kind)
    if query.target is not None:
        yield _is("target", query.target)
    if query.since is not None:
        yield "at >= {}::int8", (number(query.since),)
    if query.redriven is not None:
        yield f"redriven_at IS {'NOT ' if query.redriven else ''}NULL", ()
    if query.text is not None:
        yield _has_text(query.text, _LETTER_TEXTS)


def _task_conditions(query: TaskQuery) -> Iterator[Condition]:
    if query.status == ("pending",):
        yield "status = 'pending'", ()  # written out: so the index of those is used
    elif query.status:
        yield _one_of("status", query.status)
    if query.assignee is not None:
        yield _is("assignee", query.assignee)
    if query.candidate is not None:
        yield "{}::text = ANY (candidates)", (sought(query.candidate),)
    if query.group is not None:
        yield "{}::text = ANY (groups)", (sought(query.group),)
    if query.workflow is not None:
        yield _is("workflow", query.workflow)
    if query.run_id is not None:
        yield _is("run_id", query.run_id)
    if query.overdue_at is not None:
        yield "status = 'pending' AND due_at < {}::int8", (number(query.overdue_at),)
    if query.id_prefix:
        yield _begins("id", query.id_prefix)


def _event_conditions(query: EventQuery) -> Iterator[Condition]:
    if query.type is not None:
        yield _is("type", query.type)
    if query.source is not None:
        yield _is("source", query.source)
    if query.since is not None:
        yield "received_at >= {}::int8", (number(query.since),)


def _is(column: str, value: str) -> Condition:
    return f"{column} = {{}}::text", (sought(value),)


def _one_of(column: str, values: Sequence[str]) -> Condition:
    return f"{column} = ANY ({{}}::text[])", (soughts(values),)


def _begins(column: str, prefix: str) -> Condition:
    between = f"{column} >= {{}}::text AND {column} < {{}}::text"
    return between, (sought(prefix), sought(prefix + _LAST_CHARACTER))


def _has_text(value: str, columns: tuple[str, ...]) -> Condition:
    """strpos, not LIKE: nothing to escape. In collation "C" only ASCII has two cases."""
    parts = [f'strpos(lower({column} COLLATE "C"), {{}}::text) > 0' for column in columns]
    return f"({' OR '.join(parts)})", (_lower(value),) * len(columns)


def _lower(value: str) -> Argument:
    found = sought(value)
    return None if found is None else found.lower()


async def _count(link: Link, table: str, conditions: list[Condition]) -> int:
    select = _from(table, "count(*)")
    [(count,)] = await link.rows(numbered(f"{select}{where(conditions)}", conditions))
    return int(count)
