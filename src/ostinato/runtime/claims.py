"""What becomes of a claimed job: posts that hold the run's facts and the end of its row.

A worker that is late is refused by the row's token; so is one whose row another post of the same
tick has taken away, once that is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw

from ostinato.core import events as e
from ostinato.core.state import State
from ostinato.errors import ConflictError, NotFoundError, Refused
from ostinato.ports import JobEnd, JobFree, JobRow
from ostinato.runtime.change import Change
from ostinato.runtime.mail import said
from ostinato.runtime.posts import Errand, NotYet, Post
from ostinato.runtime.resident import Resident

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine

EventOf = Callable[[JobRow], e.Event]


async def held(engine: Engine, job_id: str, token: str) -> JobRow:
    """The row, if this token holds it. Raises ``ConflictError`` or ``NotFoundError``."""
    row = await engine.storage.job(job_id)
    if row is not None and row.token == token:
        return row
    if row is not None:
        raise ConflictError(f"job {job_id} is not yours any more: {_whose(row)}")
    if await engine.storage.head(job_id.partition(".")[0]) is None:
        raise NotFoundError(f"there is no job {job_id!r:.80}")
    raise ConflictError(f"job {job_id} is over: somebody has ended it, or its run has gone on")


def _whose(row: JobRow) -> str:
    return "its lease was over and it is offered again" if row.token is None else (
        f"its lease was over and worker {row.worker} has it"
    )  # fmt: skip


class _OfClaim(Post):
    """``row`` is what it is about, ``resident`` its run: None when that is gone."""

    __slots__ = ("freed", "resident", "row")

    row: JobRow
    resident: Resident | None
    freed: bool

    async def _load(self, engine: Engine) -> None:
        self.freed = False
        try:
            self.resident = await engine.residents.load(self.row.run_id)
        except NotFoundError:
            self.resident = None

    def _look(self, engine: Engine, change: Change) -> State | None:
        """The run, while it is open. Raises ``NotYet``."""
        if engine.fresh.setdefault(("job", self.row.id, ""), change) is not change:
            raise NotYet
        if self.resident is None:
            return None
        if self.resident.stale:
            raise NotYet
        return None if self.resident.state.ended else self.resident.state

    def _let_go(self, change: Change, state: State | None, deaths: int) -> None:
        """Offered again, if that is what its run says now; else it is over."""
        row = self.row
        step = None if state is None else state.steps.get(row.key)
        self.freed = (
            step is not None
            and (step.attempt, step.status) == (row.attempt, "ready")
            and step.topic is not None
        )
        token = row.token or ""
        end = JobFree(row.id, token, deaths) if self.freed else JobEnd(row.id, token)
        change.rows.jobs.append(end)


class EndJob(_OfClaim):
    """A worker says how a job went (``event_of`` its row). The answer: whether that counted.

    ``known`` is the row as it was given to the worker, and is not read again: the store refuses the
    token of one that has lost it.
    """

    __slots__ = ("event_of", "job_id", "known", "token")

    def __init__(
        self,
        job_id: str,
        token: str,
        event_of: EventOf,
        answer: asyncio.Future[Any] | None,
        known: JobRow | None = None,
    ) -> None:
        super().__init__(answer)
        self.known = known
        self.job_id = job_id
        self.token = token
        self.event_of = event_of
        self.freed = False

    def errand(self) -> Errand:
        asked = (self.job_id, self.token, Raw(said(self.event_of(self.row))))
        return Errand("end-job", self.row.run_id, msgspec.json.encode(asked))

    def report(self, result: bool) -> bool:
        return result

    def arrived(self, told: Raw) -> None:
        self.done(msgspec.json.decode(told, type=bool))

    async def ready(self, engine: Engine) -> None:
        self.row = self.known or await held(engine, self.job_id, self.token)
        await self._load(engine)

    def apply(self, engine: Engine, change: Change, now: int) -> bool:
        state, row, event = self._look(engine, change), self.row, self.event_of(self.row)
        counts = False
        if state is not None and self.resident is not None:
            if not isinstance(event, e.HandedOver):
                engine.tell(change, self.resident, taken(row), now)
            told = engine.tell(change, self.resident, event, now)
            counts = bool(told.facts) or isinstance(event, e.HandedOver)
        self._let_go(change, state, row.deaths)
        return counts


class GiveBack(EndJob):
    """It was given to somebody who is gone: it is offered again. ``over`` hears when it is."""

    __slots__ = ("over",)

    def __init__(self, row: JobRow, over: Callable[[EndJob], None]) -> None:
        super().__init__(row.id, row.token or "", handed_over, None, row)
        self.over = over

    def done(self, result: Any) -> None:
        self.over(self)


def handed_over(row: JobRow) -> e.HandedOver:
    return e.HandedOver(row.key, row.attempt)


class LoseLease(_OfClaim):
    """A worker was not heard of in time."""

    __slots__ = ("lost", "over")

    def __init__(self, row: JobRow, over: Callable[[LoseLease], None]) -> None:
        super().__init__(None)
        self.row = row
        self.over = over
        self.lost = self.freed = False

    @property
    def waits(self) -> bool:
        """Until it is done there, it is not said again."""
        return True

    def errand(self) -> Errand:
        row = msgspec.structs.replace(self.row, brief=b"")
        return Errand("lose-lease", row.run_id, msgspec.json.encode(row))

    async def ready(self, engine: Engine) -> None:
        row = await engine.storage.job(self.row.id)
        self.lost = row is not None and row.token == self.row.token and _is_over(row, engine.now)
        self.row = self.row if row is None else row
        await self._load(engine)

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        if not self.lost:
            return
        state, row = self._look(engine, change), self.row
        if state is not None and self.resident is not None:
            worker, since = row.worker or "", row.claimed_at or now
            event = e.LeaseLost(row.key, row.attempt, worker, since)
            engine.tell(change, self.resident, event, now)
        self._let_go(change, state, row.deaths + 1)

    def done(self, result: Any) -> None:
        self.over(self)

    def failed(self, error: BaseException) -> None:
        if isinstance(error, Refused):  # it was heard of after all
            self.lost = self.freed = False
            self.over(self)


def _is_over(row: JobRow, now: int) -> bool:
    return row.lease_until is not None and row.lease_until <= now


def taken(row: JobRow) -> e.Taken:
    return e.Taken(row.key, row.attempt, row.worker or "", row.claimed_at or row.ready_at)
