"""What the engine reads: short questions over an index, one link as the first argument."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import starmap
from typing import Any

from msgspec import structs

from ostinato.core.cloudevents import Event
from ostinato.core.run_ids import PARTITIONS
from ostinato.core.schedules import Schedule
from ostinato.ports import (
    AgedEvent,
    DeadLetter,
    Head,
    Mail,
    Operation,
    Outgoing,
    Page,
    Partitions,
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
from ostinato.storage.postgres import questions as ask
from ostinato.storage.postgres.arrays import (
    Argument,
    columns,
    number,
    numbers,
    shorts,
    sought,
    soughts,
    text,
)
from ostinato.storage.postgres.link import Link
from ostinato.storage.postgres.values import as_far_as_whole, up_to, whole
from ostinato.storage.postgres.wire import Ask, Row
from ostinato.storage.rows import EVENT_DATA, LETTER_EVENT

_WAIT_COLUMNS = 5
_BEHIND_ALL = chr(0x10FFFF)
_RECORD_DATA, _REPLY_ANSWER, _OUTGOING_EVENT = 4, 3, 2
_ALL = shorts(range(PARTITIONS))


def mine(partitions: Partitions | None) -> Argument:
    return _ALL if partitions is None else shorts(sorted(partitions))


async def _one(link: Link, sql: str, *arguments: Argument) -> Any:
    """The only column of the only row."""
    found = await link.rows(Ask(sql, arguments))
    return found[0][0] if found else None


async def _firsts(link: Link, sql: str, *arguments: Argument) -> list[Any]:
    return [row[0] for row in await link.rows(Ask(sql, arguments))]


async def history(link: Link, run_id: str, after: int, limit: int | None) -> list[Record]:
    asked = Ask(ask.HISTORY, [sought(run_id), number(after), number(limit)])
    return [Record(*row[:-1]) for row in await whole(link, asked, _RECORD_DATA)]


async def head(link: Link, run_id: str) -> Head | None:
    found = await link.rows(Ask(ask.ONE_HEAD, [sought(run_id)]))
    return rows.head(found[0]) if found else None


async def busy_runs(link: Link, partitions: Partitions | None = None) -> list[str]:
    return await _firsts(link, ask.BUSY_RUNS, mine(partitions))


async def open_runs(link: Link, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    found = await link.rows(Ask(ask.OPEN_RUNS, columns("ss", pairs)))
    return {(workflow, uid): run_id for workflow, uid, run_id in found}


async def due_timers(
    link: Link,
    now: int,
    limit: int,
    workflow: str | None = None,
    partitions: Partitions | None = None,
) -> list[Timer]:
    asked = [mine(partitions), number(now), number(limit)]
    if workflow is None:
        return list(starmap(Timer, await link.rows(Ask(ask.DUE_TIMERS, asked))))
    of_it = Ask(ask.DUE_TIMERS_OF, [*asked, sought(workflow)])
    return list(starmap(Timer, await link.rows(of_it)))


async def next_timer(link: Link, partitions: Partitions | None = None) -> int | None:
    due_at: int | None = await _one(link, ask.NEXT_TIMER, mine(partitions))
    return due_at


async def schedules(link: Link, ids: Sequence[str] | None) -> list[Schedule]:
    asked = Ask(ask.SCHEDULES) if ids is None else Ask(ask.SOME_SCHEDULES, [soughts(ids)])
    return list(starmap(Schedule, await link.rows(asked)))


async def due_schedules(link: Link, now: int, limit: int) -> list[Schedule]:
    asked = Ask(ask.DUE_SCHEDULES, [number(now), number(limit)])
    return list(starmap(Schedule, await link.rows(asked)))


async def next_schedule(link: Link) -> int | None:
    due_at: int | None = await _one(link, ask.NEXT_SCHEDULE)
    return due_at


async def find_waits(
    link: Link, type: str, values_keys: Sequence[str], event: tuple[str, str] | None
) -> list[Wait]:
    pair = [None, None] if event is None else [sought(part) for part in event]
    asked = Ask(ask.FIND_WAITS, [sought(type), soughts(values_keys), *pair])
    return list(starmap(Wait, await link.rows(asked)))


async def early_events(
    link: Link, type: str, values_key: str, since: int, run_id: str
) -> list[Event]:
    given = [sought(type), sought(values_key), number(since), sought(run_id)]
    asked = Ask(ask.EARLY_EVENTS, given)
    return list(map(rows.event, await as_far_as_whole(link, asked, EVENT_DATA)))


async def missed(link: Link, partitions: Partitions | None = None) -> list[tuple[Wait, Event]]:
    asked = Ask(ask.MISSED, [mine(partitions)])
    return [
        (Wait(*row[:_WAIT_COLUMNS]), rows.event(row[_WAIT_COLUMNS:]))
        for row in await as_far_as_whole(link, asked, _WAIT_COLUMNS + EVENT_DATA)
    ]


async def known_events(
    link: Link, pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], StoredEvent]:
    asked = Ask(ask.KNOWN_EVENTS, columns("ss", pairs))
    found = map(rows.stored_event, await as_far_as_whole(link, asked, EVENT_DATA))
    return {(stored.event.source, stored.event.id): stored for stored in found}


async def reply(link: Link, scope: str, key: str, now: int) -> Reply | None:
    asked = Ask(ask.ONE_REPLY, [sought(scope), sought(key), number(now)])
    found = await whole(link, asked, _REPLY_ANSWER)
    return rows.reply(found[0]) if found else None


async def places(link: Link) -> list[Place]:
    return list(starmap(Place, await link.rows(Ask(ask.PLACES))))


async def turns(link: Link) -> list[Turn]:
    return list(map(rows.turn, await link.rows(Ask(ask.TURNS))))


async def buckets(link: Link) -> dict[str, int]:
    return dict(await link.rows(Ask(ask.BUCKETS)))


async def mail(link: Link, partitions: Partitions | None = None) -> list[Mail]:
    found = await link.rows(Ask(ask.MAIL, [mine(partitions)]))
    return [_placed(told, row[-1]) for row in found if (told := rows.mail(row[:-1])) is not None]


def _placed(mail: Mail, partition: int) -> Mail:
    return (
        mail if mail.to and partition == mail.place else structs.replace(mail, partition=partition)
    )


async def outbox(
    link: Link,
    limit: int,
    size: int,
    partitions: Partitions | None = None,
    bus: str = "",
    besides: Sequence[int] = (),
) -> list[Outgoing]:
    out = numbers(besides)
    asked = Ask(ask.OUTBOX, [mine(partitions), number(limit), number(size), text(bus), out])
    return list(map(rows.outgoing, await up_to(link, asked, _OUTGOING_EVENT, size)))


async def backlog(link: Link) -> dict[str, int]:
    return dict(await link.rows(Ask(ask.BACKLOG)))


async def deployed(link: Link) -> int:
    return int(await _one(link, ask.DEPLOYED))


async def versions(link: Link) -> list[Version]:
    return list(map(rows.version, await link.rows(Ask(ask.VERSIONS))))


async def events_by_id(link: Link, event_id: str) -> list[StoredEvent]:
    found = await as_far_as_whole(link, Ask(ask.EVENTS_BY_ID, [sought(event_id)]), EVENT_DATA)
    return list(map(rows.stored_event, found))


async def task(link: Link, task_id: str) -> TaskRow | None:
    asked = Ask(ask.ONE_TASK, [sought(task_id)])
    found = await as_far_as_whole(link, asked, rows.TASK_ASKED, rows.TASK_ANSWER)
    return rows.task(found[0]) if found else None


async def dead_letter(link: Link, letter_id: str) -> DeadLetter | None:
    found = await as_far_as_whole(link, Ask(ask.ONE_LETTER, [sought(letter_id)]), LETTER_EVENT)
    return rows.letter(found[0]) if found else None


# repairs of many runs


async def operation(link: Link, operation_id: str) -> Operation | None:
    found = await link.rows(Ask(ask.ONE_OPERATION, [sought(operation_id)]))
    return rows.operation(found[0]) if found else None


async def operations(link: Link, page: Page) -> list[Operation]:
    before = _BEHIND_ALL if page.cursor is None else page.cursor
    asked = Ask(ask.OPERATIONS, [sought(before), number(page.limit)])
    return list(map(rows.operation, await link.rows(asked)))


async def running_operations(link: Link) -> list[Operation]:
    return list(map(rows.operation, await link.rows(Ask(ask.RUNNING_OPERATIONS))))


async def operation_runs(link: Link, operation_id: str, after: str, limit: int) -> list[str]:
    asked = [sought(operation_id), sought(after), number(limit)]
    return await _firsts(link, ask.OPERATION_RUNS, *asked)


async def operation_run(link: Link, operation_id: str, run_id: str) -> str | None:
    outcome: str | None = await _one(link, ask.OPERATION_RUN, sought(operation_id), sought(run_id))
    return outcome


async def operation_tally(link: Link, operation_id: str) -> list[Tally]:
    found: list[Row] = await link.rows(Ask(ask.OPERATION_TALLY, [sought(operation_id)]))
    return list(starmap(Tally, found))


async def aged_operations(link: Link, now: int, before: int | None, limit: int) -> list[str]:
    return await _firsts(link, ask.AGED_OPERATIONS, number(now), number(before), number(limit))


# what the janitor reads


async def over_runs(
    link: Link,
    workflow: str,
    status: str,
    before: int,
    limit: int,
    partitions: Partitions | None = None,
) -> list[str]:
    named = [sought(workflow), sought(status)]
    asked = [mine(partitions), *named, number(before), number(limit)]
    return await _firsts(link, ask.OVER_RUNS, *asked)


async def oldest_open(link: Link) -> dict[str, int]:
    return dict(await link.rows(Ask(ask.OLDEST_OPEN)))


async def aged_events(link: Link, after: int, limit: int) -> list[AgedEvent]:
    found = await link.rows(Ask(ask.AGED_EVENTS, [number(after), number(limit)]))
    return list(map(rows.aged_event, found))


async def aged_letters(link: Link, before: int, limit: int) -> list[str]:
    return await _firsts(link, ask.AGED_LETTERS, number(before), number(limit))


async def expired_replies(link: Link, now: int, limit: int) -> list[tuple[str, str]]:
    return list(await link.rows(Ask(ask.EXPIRED_REPLIES, [number(now), number(limit)])))


async def unswept(link: Link) -> bool:
    return bool(await _one(link, ask.UNSWEPT))
