"""What does not go on by itself: what runs wait for and since when, failures that are one, and
timers that nobody served. Lists are read, and a few runs of each group are looked into.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import msgspec

from ostinato.app.circles import Circles
from ostinato.app.reading import Reading
from ostinato.core.fingerprints import alike, fingerprint
from ostinato.core.patterns.contradiction import contradiction
from ostinato.core.state import OPEN_STATUSES
from ostinato.core.views import ErrorView, RunView, View, WaitView
from ostinato.errors import OstinatoError, PatternError
from ostinato.ports import EventQuery, Page, RunGroup, RunQuery, Timer

DAY = 86_400_000
UNHEARD = 30 * DAY
"""So long without an event of a type makes a wait for it suspicious."""

LATE = 30_000
"""ms after which a timer that has not fired is overdue: somebody should have served it."""

GROUPS = 1_000
"""Kinds of each that are told, and overdue timers."""

SHOWN = 5
"""Runs of a group that are looked into: its oldest, and its newest."""

DEEPEST = 50
"""Runs below one another that are looked into."""


class Below(View, omit_defaults=False):
    """A run that the one above it waits for, what it waits for itself, and since when."""

    run: str
    workflow: str
    status: str
    waiting_for: str | None
    since: int
    waits: list[WaitView]


class StuckRun(View, omit_defaults=False):
    """``doubts`` say why what it waits for may never come. ``below``: the run that it has called,
    the run that one has called, and so on down to what the last one waits for."""

    id: str
    uid: str | None
    started_at: int
    waits: list[WaitView]
    incident: str | None
    doubts: list[str]
    below: list[Below] = msgspec.field(default_factory=list)


class WaitingGroup(View, omit_defaults=False):
    """Runs of one workflow that wait for the same kind of thing; some in full, the oldest first."""

    workflow: str
    waiting_for: str
    count: int
    since: int
    runs: list[StuckRun]


class FailureGroup(View, omit_defaults=False):
    """Runs that failed for one reason. ``message`` is without what varies from run to run."""

    fingerprint: str
    workflow: str
    name: str
    message: str
    count: int
    last: int | None
    example: str
    error: ErrorView


class Overdue(View, omit_defaults=False):
    run: str
    key: str
    kind: str
    due_at: int


class StuckView(View, omit_defaults=False):
    waiting: list[WaitingGroup]
    failures: list[FailureGroup]
    overdue: list[Overdue]


class Finding(Reading):
    """The verb that finds what is stuck."""

    async def stuck(self, since: int | None = None, workflow: str | None = None) -> StuckView:
        """Failures are those since ``since`` (ms), the last seven days when it is not given."""
        now = self.now()
        failed = RunQuery(workflow=workflow, failed_since=now - 7 * DAY if since is None else since)
        still_open = RunQuery(status=OPEN_STATUSES, workflow=workflow)
        groups = await self.storage.run_groups(still_open, GROUPS)
        failures = await self.storage.run_groups(failed, GROUPS)
        due = await self.storage.due_timers(now - LATE, GROUPS, workflow)
        circles = Circles(self.run_view, self.storage.places)
        waiting = [await self._group(group, now, circles) for group in groups if group.waiting_for]
        return StuckView(
            waiting=sorted(waiting, key=lambda group: group.since),
            failures=failure_groups(failures),
            overdue=[_overdue(timer) for timer in due],
        )

    async def _group(self, group: RunGroup, now: int, circles: Circles) -> WaitingGroup:
        newest = await self.storage.runs(_members(group), Page(SHOWN - 1))
        ids = dict.fromkeys([group.oldest, *sorted(head.run_id for head in newest)])
        runs = [await self._run(run_id, now, circles) for run_id in ids]
        found = [run for run in runs if run is not None]
        since = [wait.since for run in found for wait in run.waits]
        return WaitingGroup(
            workflow=group.workflow,
            waiting_for=group.waiting_for or "",
            count=group.count,
            since=min(since, default=group.started_at),
            runs=found,
        )

    async def _run(self, run_id: str, now: int, circles: Circles) -> StuckRun | None:
        """None for one that has gone on, or is gone, meanwhile."""
        try:
            view = await self.run_view(run_id)
        except OstinatoError as error:
            return StuckRun(
                id=run_id, uid=None, started_at=0, waits=[], incident=str(error), doubts=[]
            )
        if view.ended_at is not None:
            return None
        below = await self._below(view)
        turns = [*view.waits, *(wait for one in below for wait in one.waits)]
        return StuckRun(
            id=view.id,
            uid=view.uid,
            started_at=view.started_at,
            waits=view.waits,
            incident=view.incident,
            doubts=[
                *await self._doubts(view, now),
                *filter(None, [await circles.doubt(wait) for wait in turns]),
            ],
            below=below,
        )

    async def _below(self, view: RunView) -> list[Below]:
        """Of several calls the one that has waited longest."""
        found: list[Below] = []
        while (called := _called(view)) and len(found) < DEEPEST:
            try:
                view = await self.run_view(called)
            except OstinatoError:  # it has not begun, or cannot be read
                break
            found.append(
                Below(
                    run=view.id,
                    workflow=view.workflow,
                    status=view.status,
                    waiting_for=view.waiting_for,
                    since=min((wait.since for wait in view.waits), default=view.started_at),
                    waits=view.waits,
                )
            )
        return found

    async def _doubts(self, view: RunView, now: int) -> list[str]:
        waits = [wait for wait in view.waits if wait.kind == "event"]
        told = await asyncio.gather(*(self._doubt(wait, now) for wait in waits))
        return [doubt for doubt in told if doubt]

    async def _doubt(self, wait: WaitView, now: int) -> str:
        why = _contradiction(wait)
        if why:
            return f"{wait.key}: no event can fit its match: {why}"
        for type in wait.types:
            if await self.storage.events(EventQuery(type=type, since=now - UNHEARD), Page(1)):
                return ""
        types = " or ".join(wait.types)
        return f"{wait.key}: nobody has sent {types} in the last {UNHEARD // DAY} days"


def _called(view: RunView) -> str:
    calls = [(wait.since, wait.run) for wait in view.waits if isinstance(wait.run, str)]
    return min(calls)[1] if calls else ""


def _members(group: RunGroup) -> RunQuery:
    return RunQuery(status=(group.status,), workflow=group.workflow, waiting_for=group.waiting_for)


def _contradiction(wait: WaitView) -> str | None:
    if not isinstance(wait.match, msgspec.Raw):
        return None
    try:
        return contradiction(msgspec.json.decode(wait.match), wait.types)
    except PatternError as error:
        return str(error)


def failure_groups(groups: Iterable[RunGroup]) -> list[FailureGroup]:
    """Those whose fingerprints are equal are one; the largest first."""
    found: dict[str, FailureGroup] = {}
    for group in groups:
        name, message = group.error_name or "", group.error_message or ""
        mark = fingerprint(group.workflow, name, message)
        before = found.get(mark)
        found[mark] = FailureGroup(
            fingerprint=mark,
            workflow=group.workflow,
            name=name,
            message=alike(message),
            count=group.count + (before.count if before else 0),
            last=_later(group.ended_at, before.last if before else None),
            example=before.example if before else group.newest,
            error=before.error if before else ErrorView(name=name, message=message),
        )
    return sorted(found.values(), key=lambda group: -group.count)


def _later(*moments: int | None) -> int | None:
    return max((moment for moment in moments if moment is not None), default=None)


def _overdue(timer: Timer) -> Overdue:
    return Overdue(run=timer.run_id, key=timer.key, kind=timer.kind, due_at=timer.due_at)


__all__: Sequence[str] = ("Finding", "StuckView", "failure_groups")
