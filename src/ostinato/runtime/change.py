"""The rows of one post, and the batch of many.

A post's change is written whole or not at all; a batch that the store refuses is halved until
the one change that it refuses is found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw

from ostinato.core import commands as c
from ostinato.core.cloudevents import Event
from ostinato.core.codec import NULL, VERSION, encode_facts
from ostinato.core.facts import Fact
from ostinato.core.fold.large import lighten
from ostinato.core.secrets import has_marks
from ostinato.core.state import LARGE
from ostinato.core.tasks import job_id, task_id
from ostinato.errors import Refused
from ostinato.ports import (
    Batch,
    Brief,
    Head,
    JobRow,
    JobStop,
    Outgoing,
    Owner,
    Place,
    Record,
    TaskEnd,
    TaskRow,
    Timer,
    Turn,
    Wait,
)
from ostinato.runtime.mail import mail_of
from ostinato.runtime.resident import Resident

if TYPE_CHECKING:
    from ostinato.runtime.posts import Post


class Told:
    """What one event did to one run: the facts from ``seq`` on, and what the run asked for.

    ``at`` is the run's own time: the clock may have been set back, a run's time never goes back.
    """

    __slots__ = ("at", "commands", "ended", "facts", "head", "new", "resident", "seq")

    def __init__(
        self,
        resident: Resident,
        seq: int,
        facts: list[Fact],
        commands: list[c.Command],
        ended: bool,
    ) -> None:
        self.resident = resident
        self.seq = seq
        self.facts = facts
        self.commands = commands
        self.ended = ended
        self.at = resident.state.now
        self.head: Head | None = None
        self.new = False


class Change:
    """Everything one post writes: what it told runs, and ``rows`` that belong to no run's facts."""

    __slots__ = ("made", "tolds")

    def __init__(self) -> None:
        self.tolds: list[Told] = []
        self.made: Batch | None = None

    @property
    def rows(self) -> Batch:
        """Made when it is asked for: a step has none."""
        if self.made is None:
            self.made = Batch()
        return self.made

    def drop_timer(self, timer: Timer) -> None:
        """It has fired."""
        self.rows.timers[timer.run_id, timer.key, timer.kind] = None

    def write(self, batch: Batch, now: int, fresh: dict[str, int]) -> None:
        """Add all of it to ``batch``; ``fresh`` says where the heads of its new runs are."""
        if self.made is not None:  # before what runs ask for: that may set a timer again
            _join(batch, self.made)
        for told in self.tolds:
            _add(batch, told, now, fresh)

    def __bool__(self) -> bool:
        return self.made is not None or any(told.facts or told.head for told in self.tolds)

    @property
    def stands(self) -> bool:
        """Whether nothing that it was made on top of has come to nothing."""
        return not any(told.resident.stale for told in self.tolds)


class Applied:
    """A post, what it changes, and what it answers."""

    __slots__ = ("change", "post", "result")

    def __init__(self, post: Post, change: Change, result: Any) -> None:
        self.post = post
        self.change = change
        self.result = result


def batch_of(
    epoch: int, now: int, changes: Sequence[Change], inline: int = LARGE, apart: int = 0
) -> Batch:
    """Raises ``Refused`` for what cannot even be written down. ``inline`` is in bytes.

    Waits look back so much further as clocks may be ``apart`` (ms).
    """
    try:
        batch = _joined(Batch(epoch, inline), now, changes)
        if apart and batch.waits:
            batch.waits = [_further(wait, apart) for wait in batch.waits]
        return batch
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Refused(f"it cannot be encoded: {error}") from error


def _joined(batch: Batch, now: int, changes: Sequence[Change]) -> Batch:
    fresh: dict[str, int] = {}
    for change in changes:
        change.write(batch, now, fresh)
    if max(map(len, map(_data, batch.records)), default=0) > LARGE:
        for told in chain.from_iterable(change.tolds for change in changes):
            lighten(told.resident.state, told.facts)
    return batch


_data = attrgetter("data")


def _further(wait: Wait, apart: int) -> Wait:
    return wait if wait.since is None else replace(wait, since=max(0, wait.since - apart))


def _join(batch: Batch, rows: Batch) -> None:
    batch.timers |= rows.timers
    batch.heads |= rows.heads
    batch.events += rows.events
    batch.replies += rows.replies
    batch.dead_letters += rows.dead_letters
    batch.redriven += rows.redriven
    batch.outgoing += rows.outgoing
    batch.versions += rows.versions
    batch.retired += rows.retired
    batch.sent += rows.sent
    for owner in rows.freed:
        _free(batch, owner)
    batch.served += rows.served
    batch.places += rows.places
    batch.buckets |= rows.buckets
    batch.mail |= rows.mail
    batch.dropped_schedules += rows.dropped_schedules
    batch.schedules += rows.schedules
    batch.operations += rows.operations
    batch.matched += rows.matched
    batch.settled += rows.settled
    batch.jobs += rows.jobs
    if rows.removal is not None:  # one janitor, one lot at a time
        batch.removal = rows.removal


def _add(batch: Batch, told: Told, now: int, fresh: dict[str, int]) -> None:
    run_id = told.resident.run_id
    if told.facts:
        batch.records.append(Record(run_id, told.seq, told.at, VERSION, encode_facts(told.facts)))
    if told.head is not None:
        if told.new:
            fresh[run_id] = len(batch.new_heads)
            batch.new_heads.append(told.head)
        elif run_id in fresh:
            batch.new_heads[fresh[run_id]] = told.head
        else:
            batch.heads[run_id] = told.head
    for command in told.commands:
        write = ROWS.get(type(command))
        if write is not None:
            write(batch, told.resident, command, now)


def _set_timer(batch: Batch, run: Resident, command: c.SetTimer, now: int) -> None:
    batch.timers[run.run_id, command.key, command.kind] = command.due_at


def _clear_timer(batch: Batch, run: Resident, command: c.ClearTimer, now: int) -> None:
    batch.timers[run.run_id, command.key, command.kind] = None


def _open_wait(batch: Batch, run: Resident, command: c.OpenWait, now: int) -> None:
    batch.waits += [
        Wait(run.run_id, command.key, type, command.values_key, command.since)
        for type in command.types
    ]


def _close_wait(batch: Batch, run: Resident, command: c.CloseWait, now: int) -> None:
    batch.closed_waits.append((run.run_id, command.key))


def _publish(batch: Batch, run: Resident, command: c.Publish, now: int) -> None:
    event = Event(
        id=command.id,
        source=command.source or f"ostinato/{run.state.workflow}",
        type=command.type,
        time=now,
        subject=command.subject,
        data=Raw(bytes(command.data)),
        extensions=command.headers,
    )
    for bus in command.buses:
        batch.outgoing.append(Outgoing(event, run.run_id, bus=bus))


def _take_places(batch: Batch, run: Resident, command: c.TakePlaces, now: int) -> None:
    turn = Turn(run.run_id, command.key, command.priority, command.wants)
    batch.turns[turn.owner] = turn


def _hold_place(batch: Batch, run: Resident, command: c.HoldPlace, now: int) -> None:
    batch.places.append(Place(command.name, 0, run.run_id, ""))


def _free_places(batch: Batch, run: Resident, command: c.FreePlaces, now: int) -> None:
    _free(batch, (run.run_id, command.key))


def _free(batch: Batch, owner: Owner) -> None:
    """Also what the same batch gives: a store frees before it gives."""
    batch.turns.pop(owner, None)
    batch.places = [place for place in batch.places if (place.run_id, place.key) != owner]
    batch.freed.append(owner)


def _say(
    batch: Batch, run: Resident, command: c.CallRun | c.HangUp | c.AnswerCall, now: int
) -> None:
    mail = mail_of(run.run_id, command)
    batch.mail[mail.line] = mail


def _put_task(batch: Batch, run: Resident, command: c.PutTask, now: int) -> None:
    task = command.task
    row = TaskRow(
        task_id(run.run_id, command.key, command.attempt),
        run.run_id,
        command.key,
        command.attempt,
        run.state.workflow,
        task.name,
        task.assignee,
        command.due_at,
        command.opened_at,
        msgspec.json.encode(task),
    )
    batch.tasks.append(row)


def _close_task(batch: Batch, run: Resident, command: c.CloseTask, now: int) -> None:
    name = task_id(run.run_id, command.key, command.attempt)
    if command.answer is None:
        batch.tasks.append(TaskEnd(name, run.run_id, "cancelled", now))
    else:
        answer = bytes(command.answer)
        batch.tasks.append(
            TaskEnd(name, run.run_id, "completed", now, command.by, command.outcome, answer)
        )


def _offer_job(batch: Batch, run: Resident, command: c.OfferJob, now: int) -> None:
    state = run.state
    brief = Brief(
        input=NULL if command.input is None else command.input,
        uid=state.uid,
        trigger=NULL if state.event is None else state.event,
        mark=state.mark if has_marks(command.input) else "",
        callback=state.token(command.key),
        address=state.graph.address,
    )
    row = JobRow(
        job_id(run.run_id, command.key, command.attempt),
        run.run_id,
        command.key,
        command.attempt,
        command.topic,
        state.workflow,
        state.graph.priority,
        now,
        msgspec.json.encode(brief),
        command.timeout,
        command.deaths,
    )
    batch.jobs.append(row)


def _recall_job(batch: Batch, run: Resident, command: c.RecallJob, now: int) -> None:
    name = job_id(run.run_id, command.key, command.attempt)
    batch.jobs.append(JobStop(name, command.gently))


ROWS: dict[type, Callable[[Batch, Resident, Any, int], None]] = {
    c.SetTimer: _set_timer,
    c.ClearTimer: _clear_timer,
    c.OpenWait: _open_wait,
    c.CloseWait: _close_wait,
    c.Publish: _publish,
    c.PutTask: _put_task,
    c.CloseTask: _close_task,
    c.OfferJob: _offer_job,
    c.RecallJob: _recall_job,
    c.TakePlaces: _take_places,
    c.HoldPlace: _hold_place,
    c.FreePlaces: _free_places,
    c.CallRun: _say,
    c.HangUp: _say,
    c.AnswerCall: _say,
}
