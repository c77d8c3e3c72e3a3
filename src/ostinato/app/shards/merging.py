"""Several answers as one. Lists have the same order in every store, and a cursor is a place in that
order: so it is good for all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from heapq import merge
from typing import Any, TypeVar

from ostinato.app.elsewhere import TopicView, WorkerView
from ostinato.app.stuck import GROUPS, SHOWN, FailureGroup, StuckView, WaitingGroup
from ostinato.ports import Roll
from ostinato.ports.members import Seat

T = TypeVar("T")


def merged(
    lots: Iterable[Sequence[T]],
    place: Callable[[T], Any],
    limit: int,
    *,
    oldest_first: bool = False,
) -> list[T]:
    """The first ``limit`` of all."""
    found = merge(*lots, key=place, reverse=not oldest_first)
    return [one for one, _ in zip(found, range(limit), strict=False)]


def stuck(views: Sequence[StuckView]) -> StuckView:
    waiting: dict[tuple[str, str], WaitingGroup] = {}
    for group in (group for view in views for group in view.waiting):
        name = group.workflow, group.waiting_for
        waiting[name] = _both(waiting[name], group) if name in waiting else group
    failures: dict[str, FailureGroup] = {}
    for failure in (failure for view in views for failure in view.failures):
        mark = failure.fingerprint
        failures[mark] = _alike(failures[mark], failure) if mark in failures else failure
    overdue = sorted((one for view in views for one in view.overdue), key=lambda one: one.due_at)
    return StuckView(
        waiting=sorted(waiting.values(), key=lambda group: group.since),
        failures=sorted(failures.values(), key=lambda group: -group.count),
        overdue=overdue[:GROUPS],
    )


def _both(one: WaitingGroup, other: WaitingGroup) -> WaitingGroup:
    runs = sorted([*one.runs, *other.runs], key=lambda run: run.id)
    return WaitingGroup(
        workflow=one.workflow,
        waiting_for=one.waiting_for,
        count=one.count + other.count,
        since=min(one.since, other.since),
        runs=runs if len(runs) <= SHOWN else [runs[0], *runs[1 - SHOWN :]],
    )


def _alike(one: FailureGroup, other: FailureGroup) -> FailureGroup:
    larger = one if one.count >= other.count else other
    return FailureGroup(
        fingerprint=one.fingerprint,
        workflow=one.workflow,
        name=one.name,
        message=one.message,
        count=one.count + other.count,
        last=max((at for at in (one.last, other.last) if at is not None), default=None),
        example=larger.example,
        error=larger.error,
    )


def workers(lots: Iterable[Sequence[WorkerView]]) -> list[WorkerView]:
    """Each once, as it was heard of last; the last comes first."""
    found: dict[str, WorkerView] = {}
    for view in (view for lot in lots for view in lot):
        before = found.get(view.name)
        if before is not None:
            jobs = before.jobs + view.jobs
            if (view.seen_at or 0) < (before.seen_at or 0):
                view = before
            view.jobs = jobs
        found[view.name] = view
    return sorted(found.values(), key=lambda view: -(view.seen_at or 0))


def topics(lots: Iterable[Sequence[TopicView]]) -> list[TopicView]:
    found: dict[str, TopicView] = {}
    for view in (view for lot in lots for view in lot):
        one = found.setdefault(view.topic, view)
        if one is not view:
            one.offered += view.offered
            one.taken += view.taken
            one.oldest = min(_there(one.oldest, view.oldest), default=None)
            one.asked_at = max(_there(one.asked_at, view.asked_at), default=None)
    return sorted(found.values(), key=lambda view: view.topic)


def health(each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts add up; all of it is one loop."""
    told: dict[str, Any] = {"ready": any(one["ready"] for one in each)}
    reasons = [one["reason"] for one in each if not one["ready"]]
    told["reason"] = "" if told["ready"] else reasons[0]
    letters = Counter[str]()
    for one in each:
        letters.update(one.get("deadLetters", {}))
        for name, value in one.items():
            if name.startswith("loopLag"):
                told[name] = max(told.get(name, 0.0), value)
            elif name not in ("ready", "reason", "deadLetters", "buses"):
                told[name] = told.get(name, 0) + value
    return told | {"deadLetters": dict(letters)}


def _there(*moments: int | None) -> list[int]:
    return [moment for moment in moments if moment is not None]


def roll(rolls: Sequence[Roll]) -> Roll:
    """Each process comes once for each store, with the number of that in front."""
    seats = tuple(
        Seat(f"{number}/{seat.id}", seat.address, seat.version, seat.since, seat.partitions,
             seat.waits, seat.late, seat.stores)
        for number, one in enumerate(rolls, 1) for seat in one.seats
    )  # fmt: skip
    hub = rolls[0].hub
    free = sum(one.free for one in rolls)
    return Roll(rolls[0].now, seats, None if hub is None else f"1/{hub}", free)
