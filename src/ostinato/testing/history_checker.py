"""Judges stored histories against what is promised: whatever happened, it must not show here.

``check_history`` looks at one run, ``check_store`` at all of a store that has come to rest, and
at what clients were told (``Journal``). Each ``Violation`` names the run, the fact and the rule.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ostinato.core import facts as f
from ostinato.core.cloudevents import Event
from ostinato.core.codec import decode_facts
from ostinato.core.fold import replay
from ostinato.core.graph import Graph
from ostinato.core.instants import format_instant
from ostinato.core.schedules import EVENT_TYPE
from ostinato.core.state import BUSY, State
from ostinato.core.tasks import open_tasks
from ostinato.core.views import fact_type, status_of
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

GraphOf = Callable[[str, int], Graph]
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Violation:
    """``seq`` is the fact that breaks ``rule``; -1 when it is about a run or store as a whole."""

    run_id: str
    seq: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.run_id or 'store'} #{self.seq} {self.rule}: {self.message}"


@dataclass(slots=True)
class Journal:
    """What clients were told: runs that were started; events, with the runs in their answer.

    ``removed`` runs and ``forgotten`` events were old enough to go; ``redriven`` are runs that a
    dead letter was made of.
    """

    starts: set[str] = field(default_factory=set)
    events: dict[Pair, tuple[str, ...]] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    forgotten: set[Pair] = field(default_factory=set)
    redriven: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Entry:
    seq: int
    at: int
    fact: Any

    @property
    def type(self) -> str:
        return fact_type(self.fact)


Found = Iterator[tuple[int, str, str]]  # seq, rule, message


def check_history(graph_of: GraphOf, run_id: str, records: Sequence[Record]) -> list[Violation]:
    """One run, by its history alone."""
    entries = [
        Entry(record.seq + place, record.at, fact)
        for record in records
        for place, fact in enumerate(decode_facts(record.data, record.version))
    ]
    found = [Violation(run_id, *one) for rule in RULES for one in rule(entries)]
    state, broken = replayed(graph_of, run_id, records)
    if state is not None:
        most = state.graph.most_deaths
        found += [Violation(run_id, *one) for one in _given_up_in_time(entries, most)]
    return found + broken


# rules about one history


def _numbered(entries: list[Entry]) -> Found:
    for place, entry in enumerate(entries):
        if entry.seq != place:
            yield entry.seq, "history.gap", f"fact {place} has number {entry.seq}"
            return


def _begins(entries: list[Entry]) -> Found:
    if not entries or not isinstance(entries[0].fact, f.RunStarted):
        yield 0, "history.start", "it does not begin with run.started"
    for entry in entries[1:]:
        if isinstance(entry.fact, f.RunStarted):
            yield entry.seq, "history.start", "it begins a second time"


ENDS = (f.RunSucceeded, f.RunFailed, f.RunCancelled)
STEP_ENDS = (f.JobSucceeded, f.JobFailed, f.JobSkipped, f.JobCancelled)
ONCE_PER_ATTEMPT = (f.JobReady, f.JobStarted, f.JobRetried, f.JobAbandoned, f.JobReturned)
ONCE_PER_SCOPE = (f.ScopeOpened, f.ScopeEnded, f.ScopeFailing, f.ItemsResolved)


def _ends_once(entries: list[Entry]) -> Found:
    """Unless a person opens it again."""
    over = False
    for entry in entries:
        if over and not isinstance(entry.fact, f.RunReopened):
            yield entry.seq, "run.after_end", f"{entry.type} after the end"
        over = isinstance(entry.fact, ENDS) or (over and not isinstance(entry.fact, f.RunReopened))


def _steps_end_once(entries: list[Entry]) -> Found:
    ended: set[str] = set()
    for entry in entries:
        key = getattr(entry.fact, "key", None)
        if key is None or not entry.type.startswith("job.") or isinstance(entry.fact, f.JobUndone):
            continue
        if key in ended:
            rule = "step.ended_twice" if isinstance(entry.fact, STEP_ENDS) else "step.after_end"
            yield entry.seq, rule, f"{entry.type} of {key} after its end"
        if isinstance(entry.fact, STEP_ENDS):
            ended.add(key)


def _nothing_twice(entries: list[Entry]) -> Found:
    seen: set[tuple[Any, ...]] = set()
    for entry in entries:
        if isinstance(entry.fact, ONCE_PER_ATTEMPT):
            name: tuple[Any, ...] = (entry.type, entry.fact.key, entry.fact.attempt)
        elif isinstance(entry.fact, ONCE_PER_SCOPE):
            name = (entry.type, entry.fact.key)
        else:
            if isinstance(entry.fact, f.RunReopened | f.ScopeReopened):
                key = getattr(entry.fact, "key", "")
                seen -= {("phase.ended", key), ("phase.failing", key)}
            continue
        if name in seen:
            yield entry.seq, "transition.twice", " ".join(map(str, name))
        seen.add(name)


def _attempts_rise(entries: list[Entry]) -> Found:
    last: dict[str, int] = {}
    for entry in entries:
        attempt = getattr(entry.fact, "attempt", None)
        if attempt is None:
            continue
        before = last.get(entry.fact.key, 0)
        if attempt < before or attempt > before + 1:
            yield entry.seq, "attempt.order", f"{entry.fact.key}: {attempt} after {before}"
        last[entry.fact.key] = attempt


def _given_up_in_time(entries: list[Entry], most: int) -> Found:
    """A job is given up for its deaths only; an attempt without a start fact has died of nothing.

    What was handed over has not died, whatever becomes of its next beginning.
    """
    begun: set[tuple[str, int]] = set()
    deaths: Counter[str] = Counter()
    for entry in entries:
        fact = entry.fact
        if isinstance(fact, f.JobStarted):
            begun.add((fact.key, fact.attempt))
        elif isinstance(fact, f.JobReturned):
            begun.discard((fact.key, fact.attempt))
        elif isinstance(fact, f.JobAbandoned):
            deaths[fact.key] += (fact.key, fact.attempt) in begun
        elif isinstance(fact, f.JobFailed) and fact.error.name == "Abandoned":
            died = deaths[fact.key]
            if died < most:
                yield entry.seq, "abandoned.early", f"{fact.key} after {died} deaths of {most}"


def _not_early(entries: list[Entry]) -> Found:
    """A timer's wait and a retry go on when they are due, never before.

    An answer from outside may end a job between two attempts.
    """
    due: dict[str, int] = {}
    retried: set[str] = set()
    for entry in entries:
        fact = entry.fact
        if isinstance(fact, f.JobRetried):
            retried.add(fact.key)
        for key in _taken_in_hand(fact):
            due.pop(key, None)
        if isinstance(fact, f.JobReady | f.JobSucceeded):
            at = due.pop(fact.key, None)
            answered = isinstance(fact, f.JobSucceeded) and fact.key in retried
            if at is not None and entry.at < at and not answered:
                yield entry.seq, "timer.early", f"{fact.key}: {at - entry.at} ms before it was due"
        elif isinstance(fact, f.JobRetried | f.JobRepeated) or (
            isinstance(fact, f.JobWaiting) and fact.kind == "timer" and fact.due_at is not None
        ):
            due[fact.key] = fact.due_at or 0


def _taken_in_hand(fact: f.Fact) -> tuple[str, ...]:
    """Steps that a person, or what stands in for them, goes on with."""
    if isinstance(fact, f.JobCaught):
        return (fact.key,)
    return fact.keys if isinstance(fact, f.RunRepaired) and fact.action != "signal" else ()


def _time_goes_on(entries: list[Entry]) -> Found:
    for before, entry in itertools.pairwise(entries):
        if entry.at < before.at:
            yield entry.seq, "time.back", f"{before.at - entry.at} ms before the fact before it"


def _events_count_once(entries: list[Entry]) -> Found:
    """Not its own trigger, and none that had continued the run before the wait began."""
    waiting: dict[str, int] = {}
    heard: dict[Pair, int] = {}
    for entry in entries:
        fact = entry.fact
        for key in _taken_in_hand(fact):
            waiting.pop(key, None)
        if isinstance(fact, f.RunStarted) and (event := f.given(fact.event)) is not None:
            heard[_name(msgspec.json.decode(event))] = -1
        elif isinstance(fact, f.JobWaiting) and fact.kind == "event":
            waiting[fact.key] = entry.seq
        elif isinstance(fact, f.JobSucceeded) and fact.key in waiting:
            name = _name(msgspec.json.decode(fact.output))
            if heard.setdefault(name, entry.seq) < waiting[fact.key]:
                yield entry.seq, "event.twice", f"{fact.key} had {name} again"


def _name(event: dict[str, Any]) -> Pair:
    return event["source"], event["id"]


RULES: tuple[Callable[[list[Entry]], Found], ...] = (
    _numbered, _begins, _ends_once, _steps_end_once, _nothing_twice, _attempts_rise, _not_early,
    _time_goes_on, _events_count_once,
)  # fmt: skip


def replayed(
    graph_of: GraphOf, run_id: str, records: Sequence[Record]
) -> tuple[State | None, list[Violation]]:
    try:
        decoded = [(record.at, decode_facts(record.data, record.version)) for record in records]
        start: Any = decoded[0][1][0]
        return replay(graph_of(start.workflow, start.version), decoded), []
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return None, [Violation(run_id, -1, "history.replay", reason)]


# a store at rest


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
    shown = (head.status, head.waiting_for, head.ended_at, head.doing)
    folded = (status_of(state), state.waiting_for, state.ended_at, state.doing)
    if shown != folded:
        yield "head.differs", f"it shows {shown}, its history says {folded}"
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
        if await storage.head(run_id) is None:
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
