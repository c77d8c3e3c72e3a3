"""What schedules do, as it is seen from outside, and the rules about that.

An instant that was started twice is the history checker's to find. Here: none before its time,
none while paused, none beside an open run where that is not allowed, none left out, none late.
"""

from __future__ import annotations

from collections.abc import Iterator

from ostinato.core.cloudevents import Event
from ostinato.core.schedules import EVENT_TYPE, Schedule, event_source
from ostinato.ports import Batch, Head
from ostinato.testing.history_checker import Violation, planned_for
from ostinato.testing.simulation.clock import WallClock

EACH = "ticking/on/each"
"""The schedule that starts every one of its instants, whatever else is open."""

PERIOD = 1_000
"""Milliseconds between two instants of it."""

ALONE = "ostinato/schedules/turns/"
"""Sources of schedules that start no run beside the last one."""

LATE = 3_000
"""Milliseconds after which what is due has fired, on a machine on which nothing goes wrong."""

SOON = 5_000
"""Milliseconds within which each of these schedules is due again."""


class Clockwork:
    """``rows`` are as they were stored last. What came due later than ``until`` was not wanted."""

    def __init__(self, clock: WallClock) -> None:
        self.rows: dict[str, Schedule] = {}
        self.until: int | None = None
        self._clock = clock
        self._fired: dict[str, set[int]] = {}
        self._open: dict[str, set[str]] = {}

    def kept(self, batch: Batch) -> Iterator[Violation]:
        for stored in batch.events:
            if stored.event.type == EVENT_TYPE:
                yield from self._look_at_event(stored.event)
        for head in (*batch.heads.values(), *batch.new_heads):  # what ends makes room
            yield from self._look_at_head(head)
        for name in batch.dropped_schedules:
            self.rows.pop(name, None)
        self.rows.update((row.id, row) for row in batch.schedules)

    def _look_at_event(self, event: Event) -> Iterator[Violation]:
        instant = planned_for(event)
        if instant is None:
            return
        self._fired.setdefault(event.source, set()).add(instant)
        if instant > self._clock.latest:
            ahead = instant - self._clock.latest
            yield _violation("schedule.early", f"{event.id} was stored {ahead} ms before")
        row = self.rows.get(event.subject or "")
        if row is not None and row.paused_at is not None and "by" not in (event.extensions or ()):
            yield _violation("schedule.paused", f"{event.id} started in a pause")

    def _look_at_head(self, head: Head) -> Iterator[Violation]:
        if head.event_source is None or not head.event_source.startswith(ALONE):
            return
        beside = self._open.setdefault(head.event_source, set())
        if head.ended_at is not None:
            beside.discard(head.run_id)
        elif head.run_id not in beside:
            if beside:
                text = f"{head.event_id} started beside {', '.join(sorted(beside))}"
                yield _violation("schedule.overlaps", text, head.run_id)
            beside.add(head.run_id)

    def late(self, ended: set[str]) -> Iterator[Violation]:
        """What should have fired by now, or no longer waits for anything."""
        for row in self.rows.values():
            if row.due_at is not None and row.due_at < self._clock.now() - LATE:
                late = self._clock.now() - row.due_at
                yield _violation("schedule.late", f"{row.id} was due {late} ms ago")
            if row.waits_for in ended:
                text = f"{row.id} waits for {row.waits_for}, which has ended"
                yield _violation("schedule.late", text)

    def goes(self) -> bool:
        """Whether one of them is not paused."""
        waits = (
            (row.due_at or row.waits_for) for row in self.rows.values() if row.paused_at is None
        )
        return any(waits)

    def asleep(self) -> Iterator[Violation]:
        """What was planned by a clock that ran ahead, and waits for that hour."""
        for row in self.rows.values():
            if row.due_at is not None and row.due_at > self._clock.now() + SOON:
                ahead = row.due_at - self._clock.now()
                yield _violation("schedule.asleep", f"{row.id} is due only in {ahead} ms")

    def left_out(self) -> Iterator[Violation]:
        """A clock that was set back may not have come again to what was started last."""
        fired = self._fired.get(event_source(EACH), set())
        end = max(fired, default=0) if self.until is None else self.until - LATE
        first, last = min(fired, default=0), min(max(fired, default=0), end)
        if missing := set(range(first, last, PERIOD)) - fired:
            text = f"{len(missing)} instants of {EACH} never started, {min(missing)} is the first"
            yield _violation("schedule.left_out", text)


def _violation(rule: str, message: str, run_id: str = "") -> Violation:
    return Violation(run_id, -1, rule, message)
