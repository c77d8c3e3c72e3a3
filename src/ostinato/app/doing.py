"""The verbs that do something: start, emit, accept, cancel, answer."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from ostinato.app.remote import RemoteRun, find_server
from ostinato.app.run import Run
from ostinato.app.stuck import Finding
from ostinato.app.using import UseUp
from ostinato.core import events as e
from ostinato.core.callbacks import holder
from ostinato.core.cloudevents import Event
from ostinato.core.cloudevents.event import MAX_ID, MAX_SOURCE, MAX_SUBJECT, MAX_TYPE, text
from ostinato.core.codec import encode_value
from ostinato.core.decide.repairs import Asked
from ostinato.core.state import State, Step
from ostinato.core.uids import uid_problem
from ostinato.core.views import RunView, run_view
from ostinato.errors import ConflictError, InvalidInput
from ostinato.runtime.bounds import check_size, check_text
from ostinato.runtime.inbox import Accept, Accepted
from ostinato.runtime.posts import Tell
from ostinato.runtime.repairs import Repair
from ostinato.runtime.reports import failure_from
from ostinato.runtime.starts import VIEW, Begin, Idempotency
from ostinato.runtime.wanted import Begun


class Once(msgspec.Struct, frozen=True):
    """An idempotent request: its key, its body, and how a run becomes its answer."""

    scope: str
    key: str
    body: bytes
    answer: Callable[[RunView], bytes] = lambda view: b""


class Doing(Finding):
    async def start(
        self, workflow: Any, /, *, uid: str | None = None, input: Any = UNSET, **arguments: Any
    ) -> Run | RemoteRun:
        """Start a run of a workflow, by its name; ``arguments`` are its input.

        When this app is not open, the server on its store starts it.
        """
        given = arguments if input is UNSET else input
        name = str(getattr(workflow, "name", workflow))
        if self._service is None and not self._drains:
            return await find_server(self.settings).start(name, given, uid, None)
        return await self.start_run(name, given, uid=uid)

    async def start_run(
        self,
        workflow: str,
        input: Any,
        *,
        uid: str | None = None,
        version: int | None = None,
        wait: bool = True,
        once: Once | None = None,
    ) -> Run:
        """Durable when this returns. ``wait`` for room, or raise ``Busy``.

        Raises ``NotFoundError``, ``InvalidInput``, and ``ConflictError`` when ``once`` has been
        used for another request.
        """
        service = self.service  # who does no work cannot say that there is no such workflow
        name, number = await self._resolved(workflow, version)
        if uid is not None and (why := uid_problem(uid)):
            raise InvalidInput(why)
        data = self._catalog.called_input(name, number, input)
        await self._room(wait)
        post = None if once is None else self._idempotency(once)
        begun: Begun = await service.ask(
            lambda answer: Begin(service.starter, name, number, data, uid, answer, post)
        )
        if begun.answer is not None:
            run_id, _, body = begun.answer.partition(b"\n")
            if once is not None and body.startswith(VIEW):
                body = once.answer(msgspec.json.decode(body.removeprefix(VIEW), type=RunView))
            return Run(self, run_id.decode(), duplicate=True, answer=body, replayed=True)
        return Run(self, begun.run_id, duplicate=begun.duplicate)

    def _idempotency(self, once: Once) -> Idempotency:
        digest = hashlib.sha256(once.body).hexdigest()
        expires_at = self._clock.now() + round(self.settings.idempotency.total_seconds() * 1000)

        def answer(state: State, duplicate: bool) -> bytes:
            view = run_view(state)
            if duplicate:
                view.duplicate = True
            return state.run_id.encode() + b"\n" + once.answer(view)

        return Idempotency(once.scope, once.key, digest, expires_at, answer)

    async def use_up(self, scope: str, key: str, lasts: int) -> bool:
        """Whether nobody has used this key in the last ``lasts`` ms; from now on somebody has.

        Durable when this returns, and known to all who share the store.
        """
        first: bool = await self.service.ask(lambda answer: UseUp(scope, key, lasts, answer))
        return first

    async def _room(self, wait: bool) -> None:
        if wait:
            await self.service.headroom.wait()
        else:
            self.service.headroom.check()

    async def emit(
        self,
        type: str,
        data: Any = None,
        *,
        id: str | None = None,
        source: str = "ostinato/app",
        subject: str | None = None,
    ) -> Accepted:
        """Accept one event. Durable when this returns.

        When this app is not open, the server on its store accepts it.
        """
        if self._service is None and not self._drains:
            members = {"id": id or self.new_id(), "source": source, "type": type}
            about = {} if subject is None else {"subject": subject}
            given = {} if data is None else data
            return await find_server(self.settings).emit({**members, **about, "data": given})
        event = self._make_event(type, data, id=id, source=source, subject=subject)
        return (await self.accept([event]))[0]

    def _make_event(
        self,
        type: str,
        data: Any = None,
        *,
        id: str | None = None,
        source: str = "ostinato/app",
        subject: str | None = None,
    ) -> Event:
        """An event of now. Raises ``InvalidEvent`` for attributes that it cannot have."""
        return Event(
            id=text(id or self.new_id(), "id", MAX_ID),
            source=text(source, "source", MAX_SOURCE),
            type=text(type, "type", MAX_TYPE),
            time=self.now(),
            subject=None if subject is None else text(subject, "subject", MAX_SUBJECT),
            data=encode_value({} if data is None else data),
        )

    async def accept(self, events: Sequence[Event], *, wait: bool = True) -> list[Accepted]:
        """Store events, all or none, with the runs they start."""
        service = self.service
        self._check_sizes(events)
        await self._room(wait)
        if service.engine.territory.whole:
            return await self._accept(events)
        # each where its uid is known; what fails here, its sender sends again
        found = await asyncio.gather(*[self._accept([event]) for event in events])
        return [accepted for [accepted] in found]

    def _check_sizes(self, events: Sequence[Event]) -> None:
        """Raises ``TooLarge``."""
        for event in events:
            check_size(f"event {event.id}", event.data, self.settings.limits.event, "limits.event")

    async def _accept(self, events: Sequence[Event]) -> list[Accepted]:
        service = self.service
        answers: list[Accepted] = await service.ask(
            lambda answer: Accept(service.starter, self._catalog, events, answer)
        )
        return answers

    async def cancel(self, run_id: str, *, by: str = "", why: str = "") -> RunView:
        """Stop what is at work, take back what was done, and end it.

        Raises ``NotFoundError``, and ``ConflictError`` when it would change nothing.
        """
        return await self._repair(run_id, e.CancelRequested(by, why))

    async def _repair(self, run_id: str, event: Asked) -> RunView:
        check_text("why", event.why)
        await self.service.ask(lambda answer: Repair(run_id, event, answer))
        return await self.run_view(run_id)

    async def answer(
        self, token: str, *, output: Any = None, error: Mapping[str, str] | None = None
    ) -> None:
        """End the job that ``token`` belongs to, from outside.

        Raises ``NotFoundError``, ``ConflictError`` (it is over), ``Gone`` (it timed out).
        """
        state, step = await self._holder(token)
        failure = None
        if error is not None:
            failure = failure_from(str(error.get("name", "Failed")), str(error.get("message", "")))
        data = output if isinstance(output, Raw) else encode_value(output)
        check_size("the output", data, self.settings.limits.result, "limits.result")
        event = e.Answered(step.key, data if failure is None else None, failure)
        told = await self.service.ask(lambda answer: Tell(state.run_id, event, answer))
        if told is None or not told.facts:
            raise ConflictError(f"job {step.key} of run {state.run_id} is over")

    async def heartbeat(self, token: str) -> None:
        """Say that the work goes on."""
        state, step = await self._holder(token)
        event = e.Heard(step.key, step.attempt)
        await self.service.ask(lambda answer: Tell(state.run_id, event, answer))

    async def _holder(self, token: str) -> tuple[State, Step]:
        state = await self._state(token.partition(".")[0], "no job has this token")
        return state, holder(state, token)
