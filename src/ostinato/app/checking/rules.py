"""Rules about one history: each looks at its facts in their order, and at nothing else."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from ostinato.app.checking.violation import Pair
from ostinato.core import facts as f
from ostinato.core.views import fact_type


@dataclass(frozen=True, slots=True)
class Entry:
    seq: int
    at: int
    fact: Any

    @property
    def type(self) -> str:
        return fact_type(self.fact)


Found = Iterator[tuple[int, str, str]]  # seq, rule, message


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


GIVEN_UP = ("job.abandoned", "job.returned")
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


LET_GO = (f.JobAbandoned, f.JobReturned)


def _nothing_twice(entries: list[Entry]) -> Found:
    """An attempt that is offered elsewhere may be taken, and let go, more than once in turns."""
    seen: set[tuple[Any, ...]] = set()
    offered: set[tuple[str, int]] = set()
    for entry in entries:
        if isinstance(entry.fact, f.JobOffered):
            offered.add((entry.fact.key, entry.fact.attempt))
        elif isinstance(entry.fact, (f.JobTaken, *LET_GO)):
            which = (entry.fact.key, entry.fact.attempt)
            if which in offered:
                again = ("job.taken",) if isinstance(entry.fact, LET_GO) else GIVEN_UP
                seen -= {(type, *which) for type in again}
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


def given_up_in_time(entries: list[Entry], most: int) -> Found:
    """A job is given up for its deaths only; an attempt without a start fact has died of nothing.

    What was handed over has not died, whatever becomes of its next beginning. What a call fails
    with is what its run failed with: the deaths are in that one's history.
    """
    begun: set[tuple[str, int]] = set()
    called: set[str] = set()
    deaths: Counter[str] = Counter()
    for entry in entries:
        fact = entry.fact
        if isinstance(fact, f.JobStarted):
            begun.add((fact.key, fact.attempt))
        elif isinstance(fact, f.JobReturned):
            begun.discard((fact.key, fact.attempt))
        elif isinstance(fact, f.JobAbandoned):
            deaths[fact.key] += (fact.key, fact.attempt) in begun
        elif isinstance(fact, f.JobCalled):
            called.add(fact.key)
        elif isinstance(fact, f.JobFailed) and fact.error.name == "Abandoned":
            if fact.key in called:
                continue
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
