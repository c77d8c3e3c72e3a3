"""A store in which nothing is at work: what is there, and what clients were told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from ostinato.app.checking import (
    GraphOf,
    Journal,
    Pair,
    Violation,
    check_history,
    replayed,
    shown_differs,
)
from ostinato.core.cloudevents import Event
from ostinato.core.codec import decode_facts
from ostinato.core.instants import format_instant
from ostinato.core.schedules import EVENT_TYPE
from ostinato.core.state import BUSY, State
from ostinato.core.tasks import open_tasks
from ostinato.ports import (
    EventQuery,
    Head,
    Page,
    Record,
    RunQuery,
    Storage,
    StoredEvent,
    TaskQuery,
)


async def check_store(
    storage: Storage, graph_of: GraphOf, journal: Journal | None = None, now: int | None = None
) -> list[Violation]:
    """Every run and event of a store in which nothing is at work. ``now``: what is due is over."""
    found: list[Violation] = []
    heads = [head async for head in _heads(storage)]
    by_event: list[Head] = []
    for head in heads:
        records = await storage.history(head.run_id)
        if head.event_id and not _is_fork(records):
            by_event.append(head)
        found += check_history(graph_of, head.run_id, records)
        state, _ = replayed(graph_of, head.run_id, records)
        if state is not None:
            found += [Violation(head.run_id, -1, *one) for one in _at_rest(head, state, now)]
            found += await _asked(storage, state)
    found += _one_run_per_event(by_event, journal or Journal())
    found += await _once_per_instant(storage)
    for outgoing in await storage.outbox(1_000):
        found.append(Violation(outgoing.run_id, -1, "outbox.left", f"{outgoing.event.id} not sent"))
    found += await unheard(storage, {head.run_id for head in heads if head.ended_at is None})
    if journal is not None:
        found += await _acknowledged(storage, journal)
    return found


async def _heads(storage: Storage) -> Any:
    cursor: str | None = None
    while page := await storage.runs(RunQuery(), Page(500, cursor)):
        for head in page:
            yield head
        cursor = page[-1].run_id


def _at_rest(head: Head, state: State, now: int | None) -> Iterator[tuple[str, str]]:
    if differs := shown_differs(head, state):
        yield "head.differs", differs
    if state.ended or state.stuck is not None:
        return
    for step in state.open.values():
        if step.status in BUSY:
            yield "run.stuck", f"{step.key} is {step.status}, and nobody is at work on it"
        elif now is not None and step.due_at is not None and step.due_at < now:
            yield "timer.missed", f"{step.key} was due {now - step.due_at} ms ago"
    if not state.open and not state.paused:
        yield "run.silent", "it is open and waits for nothing"


def _is_fork(records: Sequence[Record]) -> bool:
    """It has the event of the run that it was made of."""
    begin: Any = decode_facts(records[0].data, records[0].version)[0] if records else None
    return bool(getattr(begin, "forked_from", ""))


async def _asked(storage: Storage, state: State) -> list[Violation]:
    """People are asked what the run waits for, and nothing else."""
    query = TaskQuery(status=("pending",), run_id=state.run_id)
    wrong = {row.id for row in await storage.tasks(query, Page(100_000))} ^ {*open_tasks(state)}
    text = "task {} is asked, or waited for, and not both"
    return [Violation(state.run_id, -1, "task.rows", text.format(one)) for one in sorted(wrong)]


def _one_run_per_event(heads: Iterable[Head], journal: Journal) -> Iterator[Violation]:
    counts = Counter(
        (head.workflow, head.event_source or "", head.event_id or "")
        for head in heads
        if head.run_id not in journal.redriven
    )
    for (workflow, source, event_id), count in counts.items():
        if count > 1 and (source, event_id) not in journal.forgotten:
            text = f"{count} runs of {workflow} by event {event_id} of {source}"
            yield Violation("", -1, "event.started_twice", text)


async def _once_per_instant(storage: Storage) -> list[Violation]:
    """Whatever became of processes and clocks, and by whatever id."""
    counts: Counter[tuple[str, int]] = Counter()
    query, cursor = EventQuery(type=EVENT_TYPE), None
    while page := await storage.events(query, Page(500, cursor)):
        instants = [(one.event.source, planned_for(one.event)) for one in page]
        counts.update((source, at) for source, at in instants if at is not None)
        last = page[-1]
        cursor = f"{last.received_at}/{last.event.source}/{last.event.id}"
    return [
        Violation("", -1, "schedule.twice", f"{source} took {format_instant(at)} {count} times")
        for (source, at), count in counts.items()
        if count > 1
    ]


def planned_for(event: Event) -> int | None:
    """The planned instant of a schedule's event; None when somebody fired it by hand."""
    instant = event.id.rpartition("@")[2]
    return None if "/" in instant else event.time


async def unheard(storage: Storage, open_runs: set[str]) -> list[Violation]:
    """An open wait, and an event it should have found. What its run has had does not count."""
    found = []
    for wait, event in await storage.missed():
        head = await storage.head(wait.run_id)
        trigger = None if head is None else (head.event_source, head.event_id)
        if wait.run_id in open_runs and trigger != (event.source, event.id):
            records = await storage.history(wait.run_id)
            if event.id.encode() not in b"".join(record.data for record in records):
                text = f"{wait.key} waits for {event.type}, and {event.id} is there"
                found.append(Violation(wait.run_id, -1, "wait.unheard", text))
    return found


async def _acknowledged(storage: Storage, journal: Journal) -> list[Violation]:
    found = []
    for run_id in sorted(journal.starts.union(*journal.events.values()) - journal.removed):
        if await storage.head(run_id) is None and not await _pointed(storage, run_id):
            found.append(Violation(run_id, -1, "start.lost", "it was acknowledged"))
    known: dict[Pair, StoredEvent] = await storage.known_events(list(journal.events))
    for pair, runs in journal.events.items():
        if pair in journal.forgotten:
            continue
        if pair not in known:
            found.append(Violation("", -1, "event.lost", f"{pair} was acknowledged"))
        elif tuple(msgspec.json.decode(known[pair].answer)["runs"]) != runs:
            found.append(Violation("", -1, "answer.differs", f"{pair} was answered {runs}"))
    return found


async def _pointed(storage: Storage, run_id: str) -> bool:
    """Whether something stands for a run that was promised before its uid was looked at."""
    return await storage.reply("moved", run_id, 0) is not None
