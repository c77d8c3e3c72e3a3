"""What people do to runs: each answers only once it is stored, or says why it cannot be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from msgspec import Raw, json

from ostinato.core import events as e
from ostinato.core.decide import refuse
from ostinato.core.decide.repairs import Asked
from ostinato.core.forks import given_to_fork
from ostinato.core.state import State
from ostinato.runtime.change import Change, Told
from ostinato.runtime.mail import said
from ostinato.runtime.posts import Afar, Errand, NotYet, Post, stored
from ostinato.runtime.resident import Resident
from ostinato.runtime.starts import Starter
from ostinato.runtime.wanted import Begun

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine


async def holder_of(engine: Engine, resident: Resident) -> str:
    """The run that has the uid of one that is over; empty when it is free."""
    state = resident.state
    if not state.ended or state.uid is None:
        return ""
    pair = (state.workflow, state.uid)
    there = engine.residents.open_under(*pair)
    if there is not None:
        return there.run_id
    found = await engine.storage.open_runs([pair])
    return found.get(pair, "") or engine.first_in_line(*pair) or ""


def repaired(
    engine: Engine, change: Change, resident: Resident, event: Asked, holder: str, now: int
) -> Told:
    """Raises what ``refuse`` does for what cannot be done to the run as it is."""
    state = resident.state
    if resident.stale:
        raise NotYet
    if state.ended:
        _reopens(engine, change, state, event, holder)
        engine.residents.add(resident)
    else:
        refuse(state, event)
    try:
        return engine.tell(change, resident, event, now)
    except BaseException:
        engine.residents.spoil(resident)  # it may be half folded
        raise


def _reopens(engine: Engine, change: Change, state: State, event: Asked, holder: str) -> None:
    """Nobody else opens it, or begins under its uid, in this very tick."""
    stored(engine, change, "reopened", state.run_id, "")
    refuse(state, event, holder)
    if state.uid is not None:
        stored(engine, change, "uid", state.workflow, state.uid)
        stored(engine, change, "line", state.workflow, state.uid)
        engine.fresh["uid", state.workflow, state.uid] = change
    engine.fresh["reopened", state.run_id, ""] = change


class Repair(Post):
    """Ask one run for something that it may refuse; a run that has failed may be opened again."""

    __slots__ = ("event", "holder", "resident", "run_id")

    resident: Resident

    def __init__(self, run_id: str, event: Asked, answer: asyncio.Future[Any] | None) -> None:
        super().__init__(answer)
        self.run_id = run_id
        self.event = event
        self.holder = ""

    def errand(self) -> Errand:
        return Errand("repair", self.run_id, said(self.event))

    async def ready(self, engine: Engine) -> None:
        self.resident = await engine.residents.load(self.run_id)
        self.holder = await holder_of(engine, self.resident)

    def report(self, result: Told) -> int:
        return len(result.facts)

    def arrived(self, told: Raw) -> None:
        self.done(Afar(json.decode(told, type=int)))

    def apply(self, engine: Engine, change: Change, now: int) -> Told:
        return repaired(engine, change, self.resident, self.event, self.holder, now)


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
        self.source = await engine.residents.look(self.run_id)

    def apply(self, engine: Engine, change: Change, now: int) -> Begun:
        state = self.source.state
        start = e.Start(
            engine.run_id(now),
            engine.identity.seed(),
            input=state.input if self.input is None else self.input,
            event=state.event,
            given=given_to_fork(state, self.key),
            forked_from=state.run_id,
            by=self.by,
            why=self.why,
        )
        graph = engine.graph_of(state.workflow, state.version)
        return self.starter.begin(change, graph, start, now)
