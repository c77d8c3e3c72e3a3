"""Repairs of many runs: one after the other, at their rate, until each is dealt with.

Each run is a post of its own, and what came of it is stored with what was done to it; so a crash
repeats nothing and forgets nothing. The rows say what is left: memory only knows who was sent.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from ostinato.core.decide.repairs import Asked, request
from ostinato.errors import (
    ConflictError,
    Fenced,
    InvalidInput,
    NotFoundError,
    Refused,
    StoreError,
    Unloadable,
    Unready,
)
from ostinato.ports import Operation, Settled
from ostinato.runtime.alarm import Alarm
from ostinato.runtime.change import Change
from ostinato.runtime.engine import Engine
from ostinato.runtime.operating import End
from ostinato.runtime.posts import Errand, NotYet, Post
from ostinato.runtime.repairs import holder_of, repaired
from ostinato.runtime.reports import clipped
from ostinato.runtime.resident import Resident, head_of
from ostinato.telemetry.logger import logger

log = logger("ostinato.operations")

LOT = 100
"""Runs that are sent at once, however fast an operation may go."""

BEHIND = 100
"""Milliseconds of its rate that an operation makes up for when the process was busy."""

LONGEST = 500
"""Characters of a reason that are kept."""


def event_for(operation: Operation) -> Asked:
    """What each of its runs is told."""
    asked = operation.asked
    output = Raw(asked.output.encode()) if asked.output else None
    return request(asked.action, operation.by, operation.why, asked.key, output)


class Running:
    """``after`` is the run that was sent last, ``sent`` those that are not stored yet; ``next_at``
    (ms) is when the next may go.
    """

    __slots__ = ("after", "ending", "next_at", "operation", "sent")

    def __init__(self, operation: Operation, now: int) -> None:
        self.operation = operation
        self.after = ""
        self.sent: set[str] = set()
        self.ending = False
        self.next_at = float(now)

    def room(self, now: int) -> int:
        """How many may go by now."""
        self.next_at = max(self.next_at, now - BEHIND)
        if now < self.next_at:
            return 0
        return min(LOT, int((now - self.next_at) * self.operation.rate / 1_000) + 1)

    def went(self, count: int) -> None:
        self.next_at += count * 1_000 / self.operation.rate


class Operations:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.alarm = Alarm(engine.clock, engine.wake)
        self._running: dict[str, Running] = {}

    async def refresh(self) -> None:
        for operation in await self.engine.storage.running_operations():
            if operation.is_damaged:
                hint = f"`ostinato operations stop {operation.id}` ends it; preview the rest again"
                log.error("operation.damaged", id=operation.id, why=operation.why, hint=hint)
            else:
                self.begun(operation)

    def begun(self, operation: Operation) -> None:
        """It is stored as running."""
        if operation.id not in self._running:
            now = self.engine.clock.now()
            self._running[operation.id] = Running(operation, now)
            self.alarm.expect(now)

    def over(self, operation: Operation) -> None:
        """It is stored as stopped or ended: nothing more is sent."""
        self._running.pop(operation.id, None)

    async def run_once(self, now: int) -> int:
        """Send what is due. Returns how many."""
        if not self.alarm.is_due(now):
            return 0
        count = 0
        for running in list(self._running.values()):
            count += await self._send(running, now)
        following = [one.next_at for one in self._running.values() if not one.ending]
        self.alarm.set(None if not following else int(-(-min(following) // 1)))
        return count

    async def _send(self, running: Running, now: int) -> int:
        if running.ending or not (room := running.room(now)):
            return 0
        operation, storage = running.operation, self.engine.storage
        runs = await storage.operation_runs(operation.id, running.after, room)
        for run_id in runs:
            running.after = run_id
            running.sent.add(run_id)
            self.engine.post(Step(self, operation, run_id))
        running.went(len(runs))
        if not runs:
            running.ending = True
            if not running.sent:
                self.engine.post(End(self, operation))
        return len(runs)

    def settled(self, operation_id: str, run_id: str) -> None:
        """What came of this run is stored."""
        running = self._running.get(operation_id)
        if running is None:
            return
        running.sent.discard(run_id)
        if running.ending and not running.sent:
            self.engine.post(End(self, running.operation))

    def close(self) -> None:
        self.alarm.close()


class Step(Post):
    """Repair one run, and note what came of it, in one transaction."""

    __slots__ = ("dealt", "gone", "holder", "operation", "resident", "role", "run_id")

    def __init__(self, role: Operations, operation: Operation, run_id: str) -> None:
        super().__init__()
        self.role = role
        self.operation = operation
        self.run_id = run_id
        self.resident: Resident | None = None
        self.dealt = False
        self.gone = ""
        self.holder = ""

    @property
    def waits(self) -> bool:
        return True

    def errand(self) -> Errand:
        return Errand("step", self.run_id, msgspec.json.encode(self.operation.id))

    def arrived(self, said: Raw) -> None:
        self.done(None)

    async def ready(self, engine: Engine) -> None:
        self.dealt = await engine.storage.operation_run(self.operation.id, self.run_id) != ""
        try:
            self.resident = await engine.residents.load(self.run_id)
        except (NotFoundError, Unloadable) as error:
            self.resident, self.gone = None, str(error)
        else:
            self.holder = await holder_of(engine, self.resident)

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        if self.dealt:  # its commit was kept, and nobody heard of it
            return
        outcome, reason = self._deal(engine, change, now)
        change.rows.settled.append(self.row(outcome, reason))

    def row(self, outcome: str, reason: str) -> Settled:
        plain = clipped(reason.replace(f"run {self.run_id}", "the run"), LONGEST)
        return Settled(self.operation.id, self.run_id, outcome, plain)

    def _deal(self, engine: Engine, change: Change, now: int) -> tuple[str, str]:
        resident, where = self.resident, self.operation.asked.where
        if resident is None:
            return "refused", self.gone
        if resident.stale:
            raise NotYet
        head = head_of(resident.state)
        if not (where.takes(head) and where.is_alike(head)):
            return "passed", ""
        event = event_for(self.operation)
        try:
            told = repaired(engine, change, resident, event, self.holder, now)
        except (ConflictError, NotFoundError, InvalidInput) as error:  # nothing was changed
            return "refused", str(error)
        return ("done", "") if told.facts else ("refused", "it changes nothing")

    def done(self, result: None) -> None:
        self.role.settled(self.operation.id, self.run_id)

    def failed(self, error: BaseException) -> None:
        """It is tried again, unless the run itself is what cannot be written."""
        if isinstance(error, Refused) or not isinstance(error, (StoreError, Fenced, Unready)):
            log.error("operation.refused", run=self.run_id, error=str(error))
            self.role.engine.post(Spoilt(self, f"{type(error).__name__}: {error}"))


class StepHere(Step):
    """The same for a process that does not lead the operation, as the store has that."""

    __slots__ = ("operation_id",)

    def __init__(self, operation_id: str, run_id: str) -> None:
        Post.__init__(self)
        self.operation_id = operation_id
        self.run_id = run_id
        self.resident, self.dealt, self.gone, self.holder = None, False, "", ""

    async def ready(self, engine: Engine) -> None:
        found = await engine.storage.operation(self.operation_id)
        if found is None:
            raise NotFoundError(f"there is no operation {self.operation_id!r}")
        self.operation = found
        await super().ready(engine)

    def done(self, result: None) -> None:
        """Who leads it is told."""

    def failed(self, error: BaseException) -> None:
        pass


class Spoilt(Post):
    """Note that a run could not be repaired, without touching it."""

    __slots__ = ("reason", "step")

    def __init__(self, step: Step, reason: str) -> None:
        super().__init__()
        self.step = step
        self.reason = reason

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        change.rows.settled.append(self.step.row("refused", self.reason))

    def done(self, result: None) -> None:
        self.step.done(result)
