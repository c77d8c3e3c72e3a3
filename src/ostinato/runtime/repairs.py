"""What people do to runs: each answers only once it is stored, or says why it cannot be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import Raw

from ostinato.core import events as e
from ostinato.core.decide import refuse
from ostinato.core.decide.repairs import Asked
from ostinato.core.forks import given_to_fork
from ostinato.errors import ConflictError
from ostinato.runtime.change import Change, Told
from ostinato.runtime.posts import NotYet, Post
from ostinato.runtime.resident import Resident
from ostinato.runtime.starts import Starter
from ostinato.runtime.wanted import Begun, stored

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine


class Repair(Post):
    """Ask one run for something that it may refuse; a run that has failed may be opened again."""

    __slots__ = ("event", "holder", "resident", "run_id")

    resident: Resident

    def __init__(self, run_id: str, event: Asked, answer: asyncio.Future[Told]) -> None:
        super().__init__(answer)
        self.run_id = run_id
        self.event = event
        self.holder = ""

    async def ready(self, engine: Engine) -> None:
        self.resident = await engine.residents.load(self.run_id)
        state = self.resident.state
        if state.ended and state.uid is not None:
            pair = (state.workflow, state.uid)
            there = engine.residents.open_under(*pair)
            found = await engine.storage.open_runs([pair])
            self.holder = found.get(pair, "") if there is None else there.run_id
            self.holder = self.holder or engine.first_in_line(*pair) or ""

    def apply(self, engine: Engine, change: Change, now: int) -> Told:
        state = self.resident.state
        if self.resident.stale:
            raise NotYet
        if not state.ended:
            refuse(state, self.event)
            return engine.tell(change, self.resident, self.event, now)
        stored(engine, change, "reopened", self.run_id, "")
        refuse(state, self.event)
        if self.holder:
            raise ConflictError(f"run {self.holder} is open under the uid {state.uid!r} by now")
        if state.uid is not None:  # and nobody begins under it in this very tick
            stored(engine, change, "uid", state.workflow, state.uid)
            stored(engine, change, "line", state.workflow, state.uid)
            engine.fresh["uid", state.workflow, state.uid] = change
        engine.fresh["reopened", self.run_id, ""] = change
        engine.residents.add(self.resident)
        return engine.tell(change, self.resident, self.event, now)


class Fork(Post):
    """Start another run of the same version, with what the first had done already."""

    __slots__ = ("by", "input", "key", "run_id", "source", "starter", "why")

    source: Resident

    def __init__(
        self,
        starter: Starter,
        run_id: str,
        key: str,
        input: Raw | None,
        by: str,
        why: str,
        answer: asyncio.Future[Begun],
    ) -> None:
        super().__init__(answer)
        self.starter = starter
        self.run_id = run_id
        self.key = key
        self.input = input
        self.by = by
        self.why = why

    async def ready(self, engine: Engine) -> None:
        self.source = await engine.residents.load(self.run_id)

    def apply(self, engine: Engine, change: Change, now: int) -> Begun:
        state, ids = self.source.state, engine.identity
        start = e.Start(
            ids.run_id(now),
            ids.seed(),
            input=state.input if self.input is None else self.input,
            event=state.event,
            given=given_to_fork(state, self.key),
            forked_from=state.run_id,
            by=self.by,
            why=self.why,
        )
        graph = engine.graph_of(state.workflow, state.version)
        return self.starter.begin(change, graph, start, now)
