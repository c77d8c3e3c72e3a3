"""Runs that wait for one another: what one says, the other hears by mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from ostinato.core import commands as c
from ostinato.core import events as e
from ostinato.core.callers import Caller
from ostinato.core.decide.calls import CallBudget, answer, circle
from ostinato.core.facts import Failure
from ostinato.core.run_ids import in_partition
from ostinato.errors import NotFoundError, OstinatoError, Refused, StoreError, Unloadable
from ostinato.ports import Mail
from ostinato.runtime.catalog import Catalog
from ostinato.runtime.change import Change
from ostinato.runtime.mail import call_in, caller_in, event_in, join, joined, mail_of
from ostinato.runtime.mailroom import Mailroom
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
    def __init__(self, engine: Engine, catalog: Catalog, starter: Starter, room: Mailroom) -> None:
        self.engine = engine
        self.catalog = catalog
        self.starter = starter
        self.room = room
        self.budget = CallBudget()
        self._below: dict[str, Below] = {}
        room.open["call"] = lambda mail: Start(self, mail)
        for kind in ("hangup", "answer", "joined", "tell"):
            room.open[kind] = lambda mail: Hear(self, mail)
        room.open["join"] = lambda mail: Join(room, mail)

    def on_said(self, run_id: str, said: c.CallRun | c.HangUp | c.AnswerCall) -> None:
        if isinstance(said, c.AnswerCall):
            self.over(said.caller, run_id)
        self.room.said(mail_of(run_id, said))

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


class Hear(Tell):
    """Tell a run what another one has said. One that is gone hears nothing any more."""

    __slots__ = ("calls", "gone", "mail")

    def __init__(self, calls: Calls, mail: Mail) -> None:
        super().__init__(mail.to, event_in(mail))
        self.calls = calls
        self.mail = mail
        self.gone = False

    @property
    def partition(self) -> int:
        return self.mail.place

    async def ready(self, engine: Engine) -> None:
        try:
            await super().ready(engine)
        except NotFoundError:  # it never began, or was removed
            self.gone = True

    def apply(self, engine: Engine, change: Change, now: int) -> Any:
        told = None if self.gone else super().apply(engine, change, now)
        change.rows.mail[self.mail.line] = None
        return told

    def errand(self) -> None:
        """Whoever has its partition by now takes the mail."""

    def dropped(self) -> None:
        pass

    def done(self, result: Any) -> None:
        self.calls.room.taken(self.mail)

    def failed(self, error: BaseException) -> None:
        if isinstance(error, Unloadable):
            self.calls.room.unreadable(self.run_id)


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

    @property
    def partition(self) -> int:
        return self.mail.place

    async def ready(self, engine: Engine) -> None:
        """A workflow that is there and cannot be read is the operator's to mend: it waits."""
        self.trouble = None
        try:
            workflow, version = await self._resolved(engine)
        except NotFoundError as error:
            self.trouble = error
            return
        engine.graph_of(workflow, version)
        try:
            self.data = self.calls.catalog.called_input(workflow, version, self.asked.input)
            one = self.calls.starter.wanted(workflow, version, self.asked.uid, self.data)
            self.wanted = one
            if one.asks and not one.far:
                await self._look(engine, one)
        except StoreError:
            raise
        except OstinatoError as error:
            self.trouble = error

    async def _resolved(self, engine: Engine) -> tuple[str, int]:
        named = (self.asked.workflow, self.asked.version)
        try:
            return self.calls.catalog.resolve(*named)
        except NotFoundError:
            if not await engine.learn():
                raise
            return self.calls.catalog.resolve(*named)

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
        if self.wanted is not None and self.wanted.far and self.trouble is None:
            self._pass_on(change, self.wanted)
            return
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

    def _pass_on(self, change: Change, one: Wanted) -> None:
        """Another process knows what runs under its uid."""
        change.rows.mail[self.mail.line] = replace(self.mail, partition=one.home)

    def _run_id(self, one: Wanted) -> str:
        """Where the others of its uid are; that is known only now when its document makes it."""
        return self.asked.run_id if one.home is None else in_partition(self.asked.run_id, one.home)

    def _start(self, engine: Engine, change: Change, now: int) -> list[Mail]:
        if self.trouble is not None or self.wanted is None:
            raise self.trouble or NotYet
        asked, one, seed = self.asked, self.wanted, engine.identity.seed()
        if (holder := self._holder(engine, one)) in self.above:
            return [self._refused(circle(holder, one.uid))]
        if not holder and (failure := self.calls.too_many(asked)) is not None:
            return [self._refused(failure)]
        run_id = self._run_id(one)
        start = e.Called(run_id, seed, one.uid, self.data, caller=asked.caller)
        begun = self.calls.starter.start(change, one, start, now)
        if begun.duplicate:
            return self._joined(engine, change, begun.run_id, now)
        self.calls.begun(asked.caller, run_id)
        return [] if run_id == asked.run_id else [joined(asked.caller, run_id, own=True)]

    def looks_again(self) -> bool:
        return True

    def dropped(self) -> None:
        """Whoever has its partition by now takes the mail."""

    def _holder(self, engine: Engine, one: Wanted) -> str:
        """The open run that this call would wait for, or behind, if there is one."""
        there = None if one.uid is None else engine.residents.open_under(*one.pair)
        run_id = one.double or (there.run_id if there is not None else one.taken) or ""
        resident = engine.residents.get(run_id) or self._before(run_id)
        return "" if resident is None or resident.state.ended else run_id

    def _joined(self, engine: Engine, change: Change, run_id: str, now: int) -> list[Mail]:
        if not engine.territory.has_run(run_id):  # who has it tells it, and answers if it is over
            return [joined(self.asked.caller, run_id), join(self.asked.caller, run_id)]
        there = engine.residents.get(run_id) or self._before(run_id)
        if there is None or there.stale:
            raise NotYet
        caller = self.asked.caller
        return [joined(caller, run_id), *_join(engine, change, there, caller, now)]

    def _before(self, run_id: str) -> Resident | None:
        before = None if self.wanted is None else self.wanted.before
        return before if before is not None and before.run_id == run_id else None

    def _refused(self, error: Failure) -> Mail:
        """Also of a call that was to begin, and whose tick came to nothing since."""
        self.calls.over(self.asked.caller, self.asked.run_id)
        return mail_of("", c.AnswerCall(self.asked.caller, error=error, refused=True))

    def done(self, result: Any) -> None:
        self.calls.room.taken(self.mail)

    def failed(self, error: BaseException) -> None:
        if isinstance(error, Refused):  # the store takes no such run
            self.calls.engine.post(Refuse(self, f"the store refused it: {error}"))


def _join(engine: Engine, change: Change, there: Resident, caller: Caller, now: int) -> list[Mail]:
    """Let it answer a caller that did not begin it."""
    if there.state.ended:  # a double, or the last of its uid: it has answered already
        return [mail_of("", answer(there.state, caller))]
    engine.tell(change, there, e.CallJoined(caller), now)
    return []


class Join(Post):
    """A run that another process has is called: it answers when it ends, or now."""

    __slots__ = ("caller", "mail", "resident", "room")

    def __init__(self, room: Mailroom, mail: Mail) -> None:
        super().__init__()
        self.room = room
        self.mail = mail
        self.caller = caller_in(mail)
        self.resident: Resident | None = None

    @property
    def partition(self) -> int:
        return self.mail.place

    async def ready(self, engine: Engine) -> None:
        try:
            self.resident = await engine.residents.load(self.mail.to)
        except NotFoundError:
            self.resident = None

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        there, replies = self.resident, list[Mail]()
        if there is None:
            gone = Failure("NotFoundError", f"run {self.mail.to} was removed")
            replies = [mail_of("", c.AnswerCall(self.caller, error=gone, refused=True))]
        elif there.stale:
            raise NotYet
        else:
            replies = _join(engine, change, there, self.caller, now)
        change.rows.mail[self.mail.line] = None
        change.rows.mail |= {reply.line: reply for reply in replies}

    def dropped(self) -> None:
        """Whoever has its partition by now takes the mail."""

    def done(self, result: Any) -> None:
        self.room.taken(self.mail)

    def failed(self, error: BaseException) -> None:
        if isinstance(error, Unloadable):
            self.room.unreadable(self.mail.to)


async def _callers(engine: Engine, run_id: str) -> list[str]:
    """Who waits for this run. One that is over waits for nobody, nor one that is gone."""
    try:
        state = (await engine.residents.look(run_id)).state
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

    @property
    def partition(self) -> int:
        return self.start.mail.place

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        change.rows.mail |= {self.start.mail.line: None, self.reply.line: self.reply}

    def done(self, result: Any) -> None:
        self.start.calls.room.taken(self.start.mail)
