"""Starts: one open run per uid, one answer per idempotency key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from ostinato.core import events as e
from ostinato.core.state import State
from ostinato.errors import ConflictError
from ostinato.ports import Reply
from ostinato.runtime.change import Change
from ostinato.runtime.posts import NotYet, Post
from ostinato.runtime.resident import Resident

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine

Pair = tuple[str, str]


class Begun(msgspec.Struct):
    """A run that was started, or that was there already. ``answer`` replays an idempotent one."""

    run_id: str
    duplicate: bool = False
    answer: bytes | None = None


class Idempotency(msgspec.Struct, frozen=True):
    """``digest`` is of the request: the same key with another request is a conflict."""

    scope: str
    key: str
    digest: str
    expires_at: int
    answer: Callable[[State, bool], bytes]


class Starter:
    """Starts runs inside a tick; one open run per (workflow, uid)."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def look(self, pairs: Sequence[Pair]) -> dict[Pair, str]:
        """Which uids are taken by runs that are not in memory."""
        unknown = [pair for pair in pairs if self.engine.residents.open_under(*pair) is None]
        return await self.engine.storage.open_runs(unknown) if unknown else {}

    def start(
        self, change: Change, workflow: str, version: int, event: e.Start, now: int,
        taken: dict[Pair, str],
    ) -> Begun:  # fmt: skip
        engine = self.engine
        if event.uid is not None:
            there = engine.residents.open_under(workflow, event.uid)
            if there is not None:
                stored(engine, change, "uid", workflow, event.uid)
                return Begun(there.run_id, duplicate=True)
            if (workflow, event.uid) in taken:
                return Begun(taken[workflow, event.uid], duplicate=True)
            stored(engine, change, "freed", workflow, event.uid)  # or its holder may go on
        resident = Resident(event.run_id, State(engine.graph_of(workflow, version)))
        told = engine.tell(change, resident, event, now)
        told.new = True
        engine.residents.add(resident)
        if event.uid is not None:
            engine.fresh["uid", workflow, event.uid] = change
        return Begun(event.run_id)


def stored(engine: Engine, change: Change, kind: str, first: str, second: str) -> None:
    """Raises ``NotYet`` when another change of this tick is what brings it."""
    if engine.fresh.get((kind, first, second), change) is not change:
        raise NotYet


class Begin(Post):
    """Start one run."""

    __slots__ = ("early", "idempotency", "input", "starter", "taken", "uid", "version", "workflow")

    def __init__(
        self,
        starter: Starter,
        workflow: str,
        version: int,
        input: Raw,
        uid: str | None,
        answer: asyncio.Future[Begun] | None,
        idempotency: Idempotency | None = None,
    ) -> None:
        self.starter = starter
        self.workflow = workflow
        self.version = version
        self.input = input
        self.uid = uid
        self.answer = answer
        self.idempotency = idempotency
        self.taken: dict[Pair, str] = {}
        self.early: Reply | None = None

    async def ready(self, engine: Engine) -> None:
        if (once := self.idempotency) is not None:
            self.early = await engine.storage.reply(once.scope, once.key, engine.clock.now())
        if self.uid is not None:
            self.taken = await self.starter.look([(self.workflow, self.uid)])
            if once is not None:  # what is remembered shows the run
                for run_id in self.taken.values():
                    await engine.residents.load(run_id)

    def apply(self, engine: Engine, change: Change, now: int) -> Begun:
        if (once := self.idempotency) is not None:
            stored(engine, change, "reply", once.scope, once.key)
            if self.early is not None:
                return replayed(once, self.early)
        ids = engine.identity
        start = e.Start(ids.run_id(now), ids.seed(), self.uid, self.input)
        begun = self.starter.start(change, self.workflow, self.version, start, now, self.taken)
        if once is not None:
            resident = engine.residents.get(begun.run_id)
            answer = once.answer(resident.state, begun.duplicate) if resident else b""
            reply = Reply(once.scope, once.key, once.digest, answer, now, once.expires_at)
            engine.fresh["reply", once.scope, once.key] = change
            change.rows.replies.append(reply)
        return begun


def replayed(once: Idempotency, reply: Reply) -> Begun:
    """The answer that was given before."""
    if reply.digest != once.digest:
        raise ConflictError(f"Idempotency-Key {once.key!r} was used for another request")
    return Begun("", duplicate=True, answer=reply.answer)
