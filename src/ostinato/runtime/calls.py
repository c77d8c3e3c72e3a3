"""Runs that wait for one another: what one says is brought to the other, in the order it was said.

The rows are the truth. Here are those that were not taken yet, by the run that is told; of each
queue the first is on its way through the engine, and the next one goes when that is stored.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from ostinato.core import commands as c
from ostinato.core import events as e
from ostinato.core.callers import Caller
from ostinato.core.decide.calls import CallBudget, answer, circle
from ostinato.core.facts import Failure
from ostinato.errors import NotFoundError, OstinatoError, Refused, StoreError, Unloadable
from ostinato.ports import Mail
from ostinato.runtime.catalog import Catalog
from ostinato.runtime.change import Change
from ostinato.runtime.mail import call_in, event_in, joined, mail_of
from ostinato.runtime.posts import NotYet, Post, Tell
from ostinato.runtime.resident import Resident
from ostinato.runtime.starts import Starter, load_open, loaded_double
from ostinato.runtime.wanted import Wanted
from ostinato.telemetry.logger import logger

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine

log = logger("ostinato.calls")


class Below:
    """The runs below one that nobody called, of those that began in this process: how many were
    ``made``, and which are ``open``."""

    __slots__ = ("made", "open")

    def __init__(self) -> None:
        self.made = 0
        self.open: set[str] = set()


class Calls:
    def __init__(self, engine: Engine, catalog: Catalog, starter: Starter) -> None:
        self.engine = engine
        self.catalog = catalog
        self.starter = starter
        self.budget = CallBudget()
        self._queues: dict[str, deque[Mail]] = {}
        self._unreadable: set[str] = set()
        self._below: dict[str, Below] = {}

    def __len__(self) -> int:
        """What was said and is not taken."""
        return sum(len(queue) for queue in self._queues.values())

    async def refresh(self) -> None:
        """What the store holds: an earlier process has left it."""
        for mail in await self.engine.storage.mail():
            if all(mail.line != one.line for one in self._queues.get(mail.to, ())):
                self.bring(mail)

    def on_said(self, run_id: str, said: c.CallRun | c.HangUp | c.AnswerCall) -> None:
        if isinstance(said, c.AnswerCall):
            self.over(said.caller, run_id)
        self.bring(mail_of(run_id, said))

    def begun(self, caller: Caller, run_id: str) -> None:
        below = self._below.setdefault(caller.first, Below())
        below.made += run_id not in below.open
        below.open.add(run_id)

    def over(self, caller: Caller, run_id: str) -> None:
        """It has ended, or did not begin."""
        below = self._below.get(caller.first)
        if below is not None:
            below.open.discard(run_id)
            if not below.open and self.engine.residents.get(caller.first) is None:
                del self._below[caller.first]  # nobody is there to call any more

    def run_ended(self, run_id: str) -> None:
        self._below.pop(run_id, None)

    def too_many(self, asked: c.CallRun) -> Failure | None:
        """Why the run that is asked for may not begin now."""
        below = self._below.get(asked.caller.first)
        if below is None or asked.run_id in below.open:  # the first, or one that comes again
            return None
        return self.budget.refusal(asked.caller, below.made, len(below.open))

    def bring(self, mail: Mail) -> None:
        """It is stored: whoever is told hears it after what was said before."""
        queue = self._queues.setdefault(mail.to, deque())
        queue.append(mail)
        if len(queue) == 1:
            self._send(mail)

    def _send(self, mail: Mail) -> None:
        self.engine.post(Start(self, mail) if mail.kind == "call" else Hear(self, mail))

    def taken(self, mail: Mail) -> None:
        queue = self._queues[mail.to]
        queue.popleft()
        if queue:
            self._send(queue[0])
        else:
            del self._queues[mail.to]

    def on_readable(self, run_id: str) -> None:
        """What it could not be told, because it could not be loaded, it is told now."""
        if run_id in self._unreadable:
            self._unreadable.discard(run_id)
            self._send(self._queues[run_id][0])

    def unreadable(self, run_id: str) -> None:
        self._unreadable.add(run_id)


class Hear(Tell):
    """Tell a run what another one has said. One that is gone hears nothing any more."""

    __slots__ = ("calls", "gone", "mail")

    def __init__(self, calls: Calls, mail: Mail) -> None:
        super().__init__(mail.to, event_in(mail))
        self.calls = calls
        self.mail = mail
        self.gone = False

    async def ready(self, engine: Engine) -> None:
        try:
            await super().ready(engine)
        except NotFoundError:  # it never began, or was removed
            self.gone = True

    def apply(self, engine: Engine, change: Change, now: int) -> Any:
        told = None if self.gone else super().apply(engine, change, now)
        change.rows.mail[self.mail.line] = None
        return told

    def done(self, result: Any) -> None:
        self.calls.taken(self.mail)

    def failed(self, error: BaseException) -> None:
        if isinstance(error, Unloadable):
            self.calls.unreadable(self.run_id)


class Start(Post):
    """Start the run that another one has called, or join the one that is open under its uid.

    What cannot be started is answered by an error.
    """

    __slots__ = ("above", "asked", "calls", "data", "mail", "replies", "trouble", "wanted")

    def __init__(self, calls: Calls, mail: Mail) -> None:
        self.answer = None
        self.calls = calls
        self.mail = mail
        self.asked = call_in(mail)
        self.data: Any = None
        self.wanted: Wanted | None = None
        self.above: set[str] = set()
        self.trouble: OstinatoError | None = None
        self.replies: list[Mail] = []

    async def ready(self, engine: Engine) -> None:
        """A workflow that is there and cannot be read is the operator's to mend: it waits."""
        self.trouble = None
        try:
            workflow, version = self.calls.catalog.resolve(self.asked.workflow, self.asked.version)
        except NotFoundError as error:
            self.trouble = error
            return
        engine.graph_of(workflow, version)
        try:
            self.data = self.calls.catalog.called_input(workflow, version, self.asked.input)
            one = self.calls.starter.wanted(workflow, version, self.asked.uid, self.data)
            self.wanted = one
            if one.asks:
                await self._look(engine, one)
        except StoreError:
            raise
        except OstinatoError as error:
            self.trouble = error

    async def _look(self, engine: Engine, one: Wanted) -> None:
        """Who has this uid, or is next to have it, and who waits for the run that calls."""
        await self.calls.starter.look([one])
        if one.double is not None:
            one.before = await loaded_double(engine, one.double)
        else:
            await load_open(engine, one)
        self.above.clear()
        todo = [self.asked.caller.run]
        for run_id in todo:  # which grows
            self.above.add(run_id)
            todo += [each for each in await _callers(engine, run_id) if each not in self.above]

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        self.replies = []
        try:
            self.replies = self._start(engine, change, now)
        except NotYet:
            raise
        except OstinatoError as error:
            self.replies = [self._refused(Failure(error.code, str(error)))]
        except Exception as error:  # of our own making: whoever waits must not wait for ever
            log.error("call.broken", run=self.asked.run_id, exc_info=error)
            self.replies = [self._refused(Failure(type(error).__name__, str(error)))]
        change.rows.mail[self.mail.line] = None
        change.rows.mail |= {reply.line: reply for reply in self.replies}

    def _start(self, engine: Engine, change: Change, now: int) -> list[Mail]:
        if self.trouble is not None or self.wanted is None:
            raise self.trouble or NotYet
        asked, one, seed = self.asked, self.wanted, engine.identity.seed()
        if (holder := self._holder(engine, one)) in self.above:
            return [self._refused(circle(holder, one.uid))]
        if not holder and (failure := self.calls.too_many(asked)) is not None:
            return [self._refused(failure)]
        start = e.Called(asked.run_id, seed, one.uid, self.data, caller=asked.caller)
        begun = self.calls.starter.start(change, one, start, now)
        if begun.duplicate:
            return self._joined(engine, change, begun.run_id, now)
        self.calls.begun(asked.caller, asked.run_id)
        return []

    def _holder(self, engine: Engine, one: Wanted) -> str:
        """The open run that this call would wait for, or behind, if there is one."""
        there = None if one.uid is None else engine.residents.open_under(*one.pair)
        run_id = one.double or (there.run_id if there is not None else one.taken) or ""
        resident = engine.residents.get(run_id)
        return "" if resident is None or resident.state.ended else run_id

    def _joined(self, engine: Engine, change: Change, run_id: str, now: int) -> list[Mail]:
        there = engine.residents.get(run_id) or self._before(run_id)
        if there is None or there.stale:
            raise NotYet
        moved = joined(self.asked.caller, run_id)
        if there.state.ended:  # a double, or the last of its uid: it has answered already
            return [moved, mail_of("", answer(there.state, self.asked.caller))]
        engine.tell(change, there, e.CallJoined(self.asked.caller), now)
        return [moved]

    def _before(self, run_id: str) -> Resident | None:
        before = None if self.wanted is None else self.wanted.before
        return before if before is not None and before.run_id == run_id else None

    def _refused(self, error: Failure) -> Mail:
        """Also of a call that was to begin, and whose tick came to nothing since."""
        self.calls.over(self.asked.caller, self.asked.run_id)
        return mail_of("", c.AnswerCall(self.asked.caller, error=error, refused=True))

    def done(self, result: Any) -> None:
        self.calls.taken(self.mail)
        for reply in self.replies:
            self.calls.bring(reply)

    def failed(self, error: BaseException) -> None:
        if isinstance(error, Refused):  # the store takes no such run
            self.calls.engine.post(Refuse(self, f"the store refused it: {error}"))


async def _callers(engine: Engine, run_id: str) -> list[str]:
    """Who waits for this run. One that is over waits for nobody, nor one that is gone."""
    try:
        state = (await engine.residents.load(run_id)).state
    except (NotFoundError, Unloadable):  # it cannot go on, whatever it waits for
        return []
    return [] if state.ended else [caller.run for caller in state.callers]


class Refuse(Post):
    """A call that came to nothing is answered all the same."""

    __slots__ = ("reply", "start")

    def __init__(self, start: Start, why: str) -> None:
        self.answer = None
        self.start = start
        self.reply = start._refused(Failure("Refused", why))

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        change.rows.mail |= {self.start.mail.line: None, self.reply.line: self.reply}

    def done(self, result: Any) -> None:
        self.start.calls.taken(self.start.mail)
        self.start.calls.bring(self.reply)
