"""What lists and pages read: filters over all there is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import msgspec

from ostinato.ports import (
    DeadLetter,
    EventQuery,
    Head,
    LetterQuery,
    Operation,
    Page,
    RunGroup,
    RunQuery,
    Settled,
    StoredEvent,
    Tally,
    TaskQuery,
    TaskRow,
)
from ostinato.ports.choosing import lower
from ostinato.ports.grouping import merged
from ostinato.storage.cursor import place_in

T = TypeVar("T")


def runs(heads: Iterable[Head], query: RunQuery) -> list[Head]:
    return _newest_first((head for head in heads if query.takes(head)), lambda head: head.run_id)


def run_groups(heads: Iterable[Head], limit: int) -> list[RunGroup]:
    groups: dict[tuple[str | None, ...], list[Head]] = {}
    for head in heads:
        why = (head.waiting_for, head.error_name, head.error_message)
        groups.setdefault((head.workflow, head.status, *why), []).append(head)
    found = [_group(members) for members in groups.values()]
    return merged(sorted(found, key=lambda group: (-group.count, group.oldest)), limit)


def _group(heads: list[Head]) -> RunGroup:
    one, ids = heads[0], [head.run_id for head in heads]
    ends = [head.ended_at for head in heads if head.ended_at is not None]
    return RunGroup(
        workflow=one.workflow,
        status=one.status,
        waiting_for=one.waiting_for,
        error_name=one.error_name,
        error_message=one.error_message,
        count=len(heads),
        oldest=min(ids),
        newest=max(ids),
        started_at=min(head.started_at for head in heads),
        ended_at=max(ends, default=None),
    )


def events(stored: Iterable[StoredEvent], query: EventQuery) -> list[StoredEvent]:
    return _newest_first((event for event in stored if _passes(event, query)), event_place)


def _passes(stored: StoredEvent, query: EventQuery) -> bool:
    return (
        (query.type is None or stored.event.type == query.type)
        and (query.source is None or stored.event.source == query.source)
        and (query.since is None or stored.received_at >= query.since)
    )


def event_place(stored: StoredEvent) -> tuple[int, str]:
    return stored.received_at, f"{stored.event.source}/{stored.event.id}"


def letters(found: Iterable[DeadLetter], query: LetterQuery) -> list[DeadLetter]:
    fitting = (letter for letter in found if _wanted(letter, query))
    return sorted(fitting, key=letter_place, reverse=not query.oldest_first)


def _wanted(letter: DeadLetter, query: LetterQuery) -> bool:
    return (
        (query.kind is None or letter.kind == query.kind)
        and (query.target is None or letter.target == query.target)
        and (query.since is None or letter.at >= query.since)
        and (query.redriven is None or (letter.redriven_at is not None) == query.redriven)
        and (query.text is None or _says(letter, query.text))
    )


def _says(letter: DeadLetter, text: str) -> bool:
    parts = [letter.id, letter.target, letter.event_source, letter.event_id]
    parts += [letter.reasons.decode(), letter.event.type if letter.event else ""]
    return any(lower(text) in lower(part) for part in parts)


def tasks(found: Iterable[TaskRow], query: TaskQuery) -> list[TaskRow]:
    return _newest_first((task for task in found if _asked(task, query)), task_place)


def _asked(task: TaskRow, query: TaskQuery) -> bool:
    return (
        (not query.status or task.status in query.status)
        and (query.assignee is None or task.assignee == query.assignee)
        and (query.candidate is None or query.candidate in _people(task, "candidates"))
        and (query.group is None or query.group in _people(task, "groups"))
        and (query.workflow is None or task.workflow == query.workflow)
        and (query.run_id is None or task.run_id == query.run_id)
        and (query.id_prefix is None or task.id.startswith(query.id_prefix))
        and (query.overdue_at is None or _overdue(task, query.overdue_at))
    )


def _people(task: TaskRow, member: str) -> list[str]:
    people: list[str] = msgspec.json.decode(task.asked).get(member, [])
    return people


def _overdue(task: TaskRow, at: int) -> bool:
    return task.status == "pending" and task.due_at is not None and task.due_at < at


def task_place(task: TaskRow) -> tuple[int, str]:
    return task.opened_at, task.id


def page_of_tasks(kept: Mapping[str, TaskRow], query: TaskQuery, page: Page) -> list[TaskRow]:
    found = tasks(kept.values(), query)
    return page_of(found, page, lambda task: task_place(task) < place_in(page.cursor or ""))


def page_of_letters(
    kept: Mapping[str, DeadLetter], query: LetterQuery, page: Page
) -> list[DeadLetter]:
    found = letters(kept.values(), query)
    if page.cursor is None:
        return found[: page.limit]
    place, later = place_in(page.cursor), query.oldest_first
    places = ((letter_place(one), one) for one in found)
    return [one for at, one in places if at != place and (at > place) == later][: page.limit]


def letter_place(letter: DeadLetter) -> tuple[int, str]:
    return letter.at, letter.id


def operations(kept: Iterable[Operation], page: Page) -> list[Operation]:
    found = _newest_first((one for one in kept if one.status != "preview"), lambda one: one.id)
    return page_of(found, page, lambda one: one.id < (page.cursor or ""))


def tally(runs: Mapping[str, Settled | None]) -> list[Tally]:
    found: dict[tuple[str, str], list[str]] = {}
    for run_id, one in runs.items():
        why = ("", "") if one is None else (one.outcome, one.reason)
        found.setdefault(why, []).append(run_id)
    tallies = [Tally(*why, len(ids), min(ids)) for why, ids in found.items()]
    return sorted(tallies, key=lambda one: (-one.count, one.outcome, one.reason))


def aged_operations(kept: Iterable[Operation], now: int, before: int | None) -> list[str]:
    return sorted(one.id for one in kept if _is_aged(one, now, before))


def _is_aged(one: Operation, now: int, before: int | None) -> bool:
    if one.status == "preview":
        return one.expires_at is not None and one.expires_at <= now
    if one.status == "running" or one.ended_at is None:
        return False
    return before is not None and one.ended_at < before


def _newest_first(items: Iterable[T], place: Callable[[T], object]) -> list[T]:
    return sorted(items, key=place, reverse=True)  # type: ignore[arg-type]


def page_of(items: Iterable[T], page: Page, is_after: Callable[[T], bool]) -> list[T]:
    rest = list(items) if page.cursor is None else [item for item in items if is_after(item)]
    return rest[: page.limit]
