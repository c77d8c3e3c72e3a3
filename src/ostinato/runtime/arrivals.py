"""What other processes ask of this one: each errand as the post that does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec import Raw

from ostinato.core import events as e
from ostinato.core.cloudevents import Event
from ostinato.core.decide.repairs import Asked as Repaired
from ostinato.core.letters import problems_of
from ostinato.core.model import UidRule
from ostinato.core.state import State
from ostinato.core.views import run_view
from ostinato.errors import DefinitionError, OstinatoError, WorkflowNotFound
from ostinato.ports import DeadLetter, JobRow, Mail, Reply
from ostinato.runtime.afar import MOVED, POINTED, Wish
from ostinato.runtime.catalog import Catalog
from ostinato.runtime.change import Change
from ostinato.runtime.claims import EndJob, LoseLease
from ostinato.runtime.errands import Errands
from ostinato.runtime.inbox import Accept
from ostinato.runtime.jobs import Jobs
from ostinato.runtime.letters import encoded_reasons, event_of
from ostinato.runtime.mail import said_in
from ostinato.runtime.operations import StepHere
from ostinato.runtime.posts import NotYet, Post, Tell
from ostinato.runtime.repairs import Repair
from ostinato.runtime.shares import AcceptShare, Copy, Home
from ostinato.runtime.starts import VIEW, Asked, Begin, Idempotency, Starter
from ostinato.runtime.tasks import AnswerTask
from ostinato.runtime.wanted import Wanted

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine


def receive(errands: Errands, starter: Starter, catalog: Catalog, jobs: Jobs) -> None:
    """Know what becomes of each kind."""
    errands.does("ask", lambda mail: Tell(mail.to, said_in(mail.body)))
    errands.does("repair", _repair)
    errands.does("task", _answer)
    errands.does("end-job", lambda mail: _end_job(jobs, mail))
    errands.does("lose-lease", lambda mail: _lose_lease(jobs, mail))
    errands.does("step", _step)
    errands.does("begin", lambda mail: _begin(starter, mail))
    errands.does("accept", lambda mail: _accept(starter, catalog, mail))
    errands.does("share", lambda mail: _share(starter, catalog, mail))
    errands.does("start", lambda mail: StartHere(starter, mail))


def _repair(mail: Mail) -> Repair:
    return Repair(mail.to, cast(Repaired, said_in(mail.body)), None)


def _answer(mail: Mail) -> AnswerTask:
    task_id, body = msgspec.json.decode(mail.body, type=tuple[str, Raw])
    return AnswerTask(task_id, cast(e.TaskAnswered, said_in(bytes(body))), None)


def _begin(starter: Starter, mail: Mail) -> Begin:
    """Its answer is made by who asks, of the run as it began."""
    asked, once = msgspec.json.decode(mail.body, type=Asked), None
    if asked.once is not None:
        once = Idempotency(*asked.once, _as_it_began)
    return Begin(starter, asked.workflow, asked.version, asked.input, asked.uid, None, once)


def _as_it_began(state: State, duplicate: bool) -> bytes:
    view = run_view(state)
    if duplicate:
        view.duplicate = True
    return state.run_id.encode() + b"\n" + VIEW + msgspec.json.encode(view)


def _accept(starter: Starter, catalog: Catalog, mail: Mail) -> Accept:
    return Accept(starter, catalog, msgspec.json.decode(mail.body, type=list[Event]), None)


def _share(starter: Starter, catalog: Catalog, mail: Mail) -> AcceptShare:
    events, shares = msgspec.json.decode(mail.body, type=tuple[list[Event], list[Home | Copy]])
    return AcceptShare(starter, catalog, events, None, shares)


class _EndJob(EndJob):
    """``jobs`` offers it again where that is what comes of it."""

    __slots__ = ("jobs",)

    jobs: Jobs

    def done(self, result: Any) -> None:
        self.jobs.ended(self)


def _end_job(jobs: Jobs, mail: Mail) -> EndJob:
    job_id, token, body = msgspec.json.decode(mail.body, type=tuple[str, str, Raw])
    event = said_in(bytes(body))
    post = _EndJob(job_id, token, lambda row: event, None)
    post.jobs = jobs
    return post


def _lose_lease(jobs: Jobs, mail: Mail) -> LoseLease:
    return LoseLease(msgspec.json.decode(mail.body, type=JobRow), jobs.lost)


def _step(mail: Mail) -> StepHere:
    return StepHere(msgspec.json.decode(mail.body, type=str), mail.to)


class StartHere(Post):
    """A start that was accepted by another process. What cannot begin leaves a dead letter."""

    __slots__ = ("mail", "misfit", "starter", "wanted", "wish")

    wanted: Wanted
    misfit: OstinatoError | None
    """Why this process cannot begin it: an older one may not read the workflow."""

    def __init__(self, starter: Starter, mail: Mail) -> None:
        super().__init__()
        self.starter = starter
        self.mail = mail
        self.wish = msgspec.json.decode(mail.body, type=Wish)

    def looks_again(self) -> bool:
        return True

    @property
    def _input(self) -> Raw | None:
        return None if self.wish.input == b"null" else self.wish.input

    @property
    def _event(self) -> Raw | None:
        return None if self.wish.event == b"null" else self.wish.event

    async def ready(self, engine: Engine) -> None:
        try:
            await self._look()
        except (DefinitionError, WorkflowNotFound):
            try:
                await engine.learn()
                await self._look()
            except (DefinitionError, WorkflowNotFound) as error:
                self.misfit = error

    async def _look(self) -> None:
        wish, self.misfit = self.wish, None
        rule = UidRule(again=wish.again, open=wish.open)
        named = (wish.workflow, wish.version, wish.uid, self._input)
        self.wanted = self.starter.wanted(*named, self._event, rule)
        await self.starter.look([self.wanted])

    def apply(self, engine: Engine, change: Change, now: int) -> Any:
        if self.misfit is not None:
            self._point(change, f"letter {self._bury(engine, change, self.misfit, now)}", now)
            return
        wish, one = self.wish, self.wanted
        start = e.Start(wish.run_id, engine.identity.seed(), one.uid, self._input, self._event)
        try:
            begun = self.starter.start(change, one, start, now, wish.trigger)
        except NotYet:
            raise
        except OstinatoError as error:
            self._point(change, f"letter {self._bury(engine, change, error, now)}", now)
        else:
            if begun.run_id != wish.run_id:
                self._point(change, begun.run_id, now)

    def _point(self, change: Change, where: str, now: int) -> None:
        """Whoever was told of its run finds what has become of it."""
        row = Reply(MOVED, self.wish.run_id, "", where.encode(), now, now + POINTED)
        change.rows.replies.append(row)

    def _bury(self, engine: Engine, change: Change, error: OstinatoError, now: int) -> str:
        event = None if self._event is None else event_of(msgspec.json.decode(self._event))
        source, id = ("", "") if event is None else (event.source, event.id)
        letter_id = engine.identity.event_id(now)
        change.rows.dead_letters.append(
            DeadLetter(
                letter_id, now, "trigger", self.wish.trigger, source, id,
                encoded_reasons(problems_of(error)), event,
            )
        )  # fmt: skip
        return letter_id
