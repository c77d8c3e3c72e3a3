"""Schedules: which planned instants start a run, and when to look again.

A schedule is a row in the store: the planned instant that comes next, and what became of the last
ones. ``turn`` is asked when that instant is due and says what starts. Cron and time zones are
somewhere else: here a plan is a function that gives the planned instant after any moment.

Times are ms since 1970. A planned instant starts at most one run, as its event's id is made of it;
so the rules may bring an instant up twice (the clock went back), but never leave one out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from ostinato.core.cloudevents import Event
from ostinato.core.codec import encode_value
from ostinato.core.instants import format_instant
from ostinato.core.timing import chance

__all__ = [
    "CATCH_UPS",
    "OVERLAPS",
    "Plan",
    "Schedule",
    "Turn",
    "brought_back",
    "due_at",
    "event_data",
    "event_of",
    "freed",
    "paused",
    "resumed",
    "settled",
    "turn",
    "upcoming",
]

OVERLAPS = ("skip", "queue", "allow")
CATCH_UPS = ("last", "all", "none")

LATE = 60_000
"""An instant that is later than this was missed: ``catch_up: none`` starts nothing for it."""

MOST = 100
"""Instants that one turn starts with ``catch_up: all``; the next turn goes on."""

After = Callable[[int], int | None]
"""The first planned instant after a moment; None when there is none."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a document says. ``says`` is what the instants come of, in one text."""

    says: str
    after: After = field(compare=False)
    overlap: str = "skip"
    catch_up: str = "last"
    jitter: int = 0


class Schedule(Struct, frozen=True, gc=False):
    """What is kept of a schedule; ``id`` is the name of its trigger.

    ``due_at`` is when ``next_for`` is looked at: None while paused, while it waits for the end of
    run ``waits_for``, and when nothing comes any more. ``planned_at`` is when that was worked out.
    ``missed_for`` is the newest instant that started nothing.
    """

    id: str
    workflow: str
    says: str
    next_for: int | None
    due_at: int | None
    planned_at: int
    waits_for: str | None = None
    last_for: int | None = None
    last_at: int | None = None
    last_run: str | None = None
    missed_for: int | None = None
    paused_at: int | None = None
    paused_by: str = ""
    paused_why: str = ""


class Turn(NamedTuple):
    """The planned instants that start now, oldest first, and the row after that."""

    starts: tuple[int, ...]
    schedule: Schedule


def turn(plan: Plan, row: Schedule, now: int, busy: bool) -> Turn:
    """``busy``: the last run that this schedule started is still open."""
    if row.next_for is None or row.due_at is None or row.due_at > now:
        return Turn((), row)
    if busy and plan.overlap == "queue":
        return Turn((), replace(row, due_at=None, waits_for=row.last_run))
    last = _last_due(plan, row.id, row.next_for, now)
    skipped = busy and plan.overlap == "skip"
    if skipped or (plan.catch_up == "none" and _late(plan, row, last, now)):
        return Turn((), _moved(plan, replace(row, missed_for=last), last, now))
    begun = replace(row, last_at=now)
    if plan.catch_up == "all":
        starts = _in_turn(plan, row.next_for, last)
    else:
        starts = (last,)
        if last > row.next_for:
            begun = replace(begun, missed_for=_last_by(plan.after, row.next_for, last - 1))
    return Turn(starts, _moved(plan, replace(begun, last_for=starts[-1]), starts[-1], now))


def _in_turn(plan: Plan, first: int, last: int) -> tuple[int, ...]:
    """One after the other, or many over one another."""
    most = MOST if plan.overlap == "allow" else 1
    return (first, *upcoming(plan, first, last, most - 1))


def _late(plan: Plan, row: Schedule, planned: int, now: int) -> bool:
    return now - due_at(plan, row.id, planned) > LATE


def _moved(plan: Plan, row: Schedule, done: int, now: int) -> Schedule:
    return _planned(plan, row, plan.after(done), now)


def _planned(plan: Plan, row: Schedule, next_for: int | None, now: int) -> Schedule:
    idle = next_for is None or row.paused_at is not None
    due = None if idle or next_for is None else due_at(plan, row.id, next_for)
    return replace(row, next_for=next_for, due_at=due, planned_at=now, waits_for=None)


def due_at(plan: Plan, schedule_id: str, planned: int) -> int:
    """With its jitter, which schedule and instant decide. It never reaches the next instant."""
    if not plan.jitter:
        return planned
    following = plan.after(planned)
    room = plan.jitter if following is None else min(plan.jitter, following - planned)
    return planned + int(chance(f"{schedule_id}@{planned}") * room)


def _last_due(plan: Plan, schedule_id: str, first: int, now: int) -> int:
    """The newest instant that is due, from ``first`` on, which is."""
    last = _last_by(plan.after, first, now)
    if last > first and due_at(plan, schedule_id, last) > now:
        return _last_by(plan.after, first, last - 1)
    return last


def _last_by(after: After, first: int, now: int) -> int:
    """The newest planned instant up to ``now``, from ``first`` on.

    By halves, not by steps: the machine may have slept for a year.
    """
    following = after(first)
    if following is None or following > now:
        return first
    found, end = following, now
    while end > found:
        middle = (found + end) // 2
        following = after(middle)
        if following is not None and following <= now:
            found = following
        elif middle == found:
            break
        else:
            end = middle
    return found


# what happens to a schedule besides


def settled(
    rows: Mapping[str, Schedule], plans: Mapping[str, Plan], workflow: str, now: int
) -> dict[str, Schedule]:
    """The rows of one workflow as its document in force has them, by id.

    What says the same goes on as it was, also under another position; what says something else
    under the same name is planned anew, and stays paused.
    """
    left = dict(rows)
    found: dict[str, Schedule] = {}
    for rule in (_itself, _elsewhere, _changed):
        for name, plan in plans.items():
            if name not in found and (old := rule(left, name, plan)) is not None:
                found[name] = left.pop(old)
    return {
        name: _settle(plan, found.get(name), name, workflow, now) for name, plan in plans.items()
    }


def _itself(left: Mapping[str, Schedule], name: str, plan: Plan) -> str | None:
    return name if name in left and left[name].says == plan.says else None


def _elsewhere(left: Mapping[str, Schedule], name: str, plan: Plan) -> str | None:
    return next((old for old, row in left.items() if row.says == plan.says), None)


def _changed(left: Mapping[str, Schedule], name: str, plan: Plan) -> str | None:
    return name if name in left else None


def _settle(plan: Plan, row: Schedule | None, name: str, workflow: str, now: int) -> Schedule:
    if row is None:
        row = Schedule(name, workflow, plan.says, None, None, now)
        return _planned(plan, row, plan.after(now), now)
    if row.says != plan.says:
        return _planned(plan, replace(row, says=plan.says), plan.after(now), now)
    if row.id == name and row.waits_for is not None and plan.overlap == "queue":
        return brought_back(plan, row, now)
    kept = _planned(plan, replace(row, id=name, workflow=workflow), row.next_for, row.planned_at)
    return brought_back(plan, kept, now)


def brought_back(plan: Plan, row: Schedule, now: int) -> Schedule:
    """After the clock went back: no instant between now and the planned one is left out."""
    if now >= row.planned_at:
        return row
    earliest = plan.after(now)
    if earliest is None or (row.next_for is not None and row.next_for <= earliest):
        return row
    return _planned(plan, row, earliest, now)


def freed(plan: Plan, row: Schedule, now: int) -> Schedule:
    """The run that it waited for is over; the clock may have gone back since."""
    return brought_back(plan, _planned(plan, row, row.next_for, row.planned_at), now)


def paused(row: Schedule, by: str, why: str, now: int) -> Schedule:
    if row.paused_at is not None:
        return row
    return replace(row, due_at=None, waits_for=None, paused_at=now, paused_by=by, paused_why=why)


def resumed(plan: Plan, row: Schedule, now: int) -> Schedule:
    """From now on: what came due during the pause was not wanted."""
    if row.paused_at is None:
        return row
    going = replace(row, paused_at=None, paused_by="", paused_why="")
    return _planned(plan, going, plan.after(now), now)


def upcoming(plan: Plan, after: int, until: int | None, most: int) -> list[int]:
    """At most ``most`` planned instants after a moment, up to ``until``."""
    found: list[int] = []
    at: int | None = after
    while len(found) < most and at is not None:
        at = plan.after(at)
        if at is None or (until is not None and at > until):
            break
        found.append(at)
    return found


# the event of a planned instant

EVENT_TYPE = "ostinato.schedule"


def event_data(planned: int) -> dict[str, Any]:
    return {"scheduledFor": format_instant(planned)}


def event_id(schedule_id: str, planned: int) -> str:
    """The same whenever it is made: an instant that has started a run starts no other."""
    return f"{schedule_id}@{format_instant(planned)}"


def event_source(schedule_id: str) -> str:
    return f"ostinato/schedules/{schedule_id}"


def event_of(schedule_id: str, planned: int) -> Event:
    return Event(
        id=event_id(schedule_id, planned),
        source=event_source(schedule_id),
        type=EVENT_TYPE,
        time=planned,
        subject=schedule_id,
        data=encode_value(event_data(planned)),
    )
