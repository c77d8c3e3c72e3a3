"""Starts: one open run per uid, one answer per idempotency key, starts that are one.

What a start has to know is read before (``look``), and told again by what is in memory when it is
applied. Where the two do not agree, it comes again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from ostinato.core import events as e
from ostinato.core.graph import Graph
from ostinato.core.model import Again, UidRule
from ostinato.core.run_ids import in_partition
from ostinato.core.state import State
from ostinato.core.triggers import Found, Starting
from ostinato.core.uids import dedup_key, uid_of
from ostinato.errors import (
    ConflictError,
    ExpressionError,
    InvalidInput,
    NotFoundError,
    OstinatoError,
)
from ostinato.ports import Page, Reply, RunQuery
from ostinato.runtime.afar import start_afar
from ostinato.runtime.change import Change
from ostinato.runtime.posts import Errand, Post, stored
from ostinato.runtime.resident import Abroad, Resident
from ostinato.runtime.standing import Standing
from ostinato.runtime.wanted import Begun, Wanted

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine


VIEW = b"\0"
"""An answer that begins so is a view of the run: who has made it did not know what it is for."""


class Idempotency(msgspec.Struct, frozen=True):
    """``digest`` is of the request: the same key with another request is a conflict."""

    scope: str
    key: str
    digest: str
    expires_at: int
    answer: Callable[[State, bool], bytes]


class Starter:
    """Starts runs inside a tick."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.standing = Standing(engine, self.begin)

    def wanted(
        self, workflow: str, version: int, uid: str | None, input: Raw | None,
        event: Raw | None = None, rule: UidRule | None = None,
    ) -> Wanted:  # fmt: skip
        """Raises ``ExpressionError`` when its uid or what makes starts one cannot be told."""
        graph = self.engine.graph_of(workflow, version)
        one = Wanted(graph, uid, rule)
        if graph.uid is not None or graph.dedup is not None:
            _name(one, graph, input, event)
        if one.home is not None:
            one.far = not self.engine.territory.has(one.home)
        return one

    def all_wanted(self, found: Found) -> list[Wanted]:
        """What an event starts; a start that cannot be told from others is a misfit."""
        fitting, wanted = [], []
        for start in found.starts:
            try:
                wanted.append(self.wanted_by(start, found.encoded))
                fitting.append(start)
            except OstinatoError as error:
                found.misfits.append((start.trigger, error))
        found.starts = fitting
        return wanted

    def wanted_by(self, start: Starting, event: Raw) -> Wanted:
        trigger = start.trigger
        named = (trigger.workflow, trigger.version, start.uid, start.input)
        return self.wanted(*named, event, trigger.rule)

    async def look(self, wanted: Sequence[Wanted]) -> None:
        """Read what these starts have to know: one read for the uids of all of them."""
        engine = self.engine
        named = [one for one in wanted if one.uid is not None]
        pairs = [one.pair for one in named if engine.residents.open_under(*one.pair) is None]
        taken = await engine.storage.open_runs(pairs) if pairs else {}
        for one in named:
            one.taken = taken.get(one.pair)
            if one.loads and not one.far:
                one.before = await self._load_before(one)
        for one in wanted:
            if one.mark is not None:
                reply = await engine.storage.reply(*one.mark, engine.now)
                one.double = None if reply is None else reply.answer.decode()

    async def _load_before(self, one: Wanted) -> Resident | None:
        """The run that counts: open, first in line, or the newest that has ended."""
        engine = self.engine
        there = engine.residents.open_under(*one.pair)
        if there is not None:
            return there
        run_id = one.taken or engine.first_in_line(*one.pair)
        if run_id is None and one.rule.again is not Again.NEW:
            query = RunQuery(workflow=one.graph.workflow, uid=one.uid)
            run_id = next((h.run_id for h in await engine.storage.runs(query, Page(1))), None)
        return None if run_id is None else await engine.residents.look(run_id)

    def start(
        self, change: Change, one: Wanted, event: e.Start, now: int, trigger: str = ""
    ) -> Begun:
        """``trigger`` is the name of the one that its event has met."""
        if one.home is not None and not isinstance(event, e.Called):
            event = replace(event, run_id=in_partition(event.run_id, one.home))
        if one.far:
            return start_afar(change, one, event, trigger)
        if one.mark is None:
            return self._start(change, one, event, now)
        stored(self.engine, change, "reply", *one.mark)
        if one.double is not None:
            return Begun(one.double, duplicate=True)
        begun = self._start(change, one, event, now)
        self._remember(change, one, begun.run_id, now)
        return begun

    def _start(self, change: Change, one: Wanted, event: e.Start, now: int) -> Begun:
        if one.uid is None:
            return self.begin(change, one.graph, event, now)
        return self.standing.meet(change, one, event, now)

    def begin(self, change: Change, graph: Graph, event: e.Start, now: int) -> Begun:
        """A new run."""
        engine = self.engine
        resident = Resident(event.run_id, State(graph))
        told = engine.tell(change, resident, event, now)
        told.new = True
        engine.residents.add(resident)
        if event.uid is not None:
            kind = "line" if event.behind else "uid"
            engine.fresh[kind, graph.workflow, event.uid] = change
        return Begun(event.run_id, state=resident.state)

    def _remember(self, change: Change, one: Wanted, run_id: str, now: int) -> None:
        """In the transaction of the start: the store takes one such row."""
        dedup, mark = one.graph.dedup, one.mark
        if dedup is None or mark is None:
            return
        self.engine.fresh["reply", *mark] = change
        row = Reply(*mark, "", run_id.encode(), now, now + dedup.window)
        change.rows.replies.append(row)


def _name(one: Wanted, graph: Graph, input: Raw | None, event: Raw | None) -> None:
    """Its uid, where nobody gave one, and what makes it one with others."""
    known = None if event is None else msgspec.json.decode(event)
    given = msgspec.json.decode(input) if input is not None else known and known["data"]
    names = {"input": given, "event": known}
    if one.uid is None and graph.uid is not None and graph.uid.key is not None:
        one.uid = uid_of(graph.uid.key.evaluate(names))
    if graph.dedup is not None and (key := dedup_key(graph.dedup, names)) is not None:
        one.mark = f"dedup {graph.workflow}", key


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """A start that another process is asked for; ``once`` is (scope, key, digest, expires_at)."""

    workflow: str
    version: int
    input: Raw
    uid: str | None
    once: tuple[str, str, str, int] | None


class Told(msgspec.Struct, frozen=True, array_like=True):
    """What came of it. ``answer`` as the idempotency key keeps it, of one that came again."""

    run_id: str
    duplicate: bool
    answer: str


class Begin(Post):
    """Start one run."""

    __slots__ = (
        "early", "idempotency", "input", "starter", "uid", "version", "wanted", "workflow",
    )  # fmt: skip

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
        self.wanted: Wanted
        self.early: Reply | None = None

    def looks_again(self) -> bool:
        return True

    def errand(self) -> Errand:
        once = self.idempotency
        key = None if once is None else (once.scope, once.key, once.digest, once.expires_at)
        asked = Asked(self.workflow, self.version, self.input, self.uid, key)
        return Errand("begin", "", msgspec.json.encode(asked))

    def report(self, result: Begun) -> Told:
        answer = "" if result.answer is None else result.answer.decode()
        return Told(result.run_id, result.duplicate, answer)

    def arrived(self, said: Raw) -> None:
        told = msgspec.json.decode(said, type=Told)
        self.done(Begun(told.run_id, told.duplicate, told.answer.encode() or None))

    async def ready(self, engine: Engine) -> None:
        if (once := self.idempotency) is not None:
            self.early = await engine.storage.reply(once.scope, once.key, engine.now)
        try:
            self.wanted = self.starter.wanted(self.workflow, self.version, self.uid, self.input)
        except ExpressionError as error:
            raise InvalidInput(str(error)) from error
        if self.wanted.far and self.early is None:
            raise Abroad(self.wanted.home or 0)
        if self.wanted.asks:
            await self.starter.look([self.wanted])
            await self._load(engine)

    async def _load(self, engine: Engine) -> None:
        """What the answer shows of a run that was there before."""
        one = self.wanted
        if one.double is not None:
            one.before = await loaded_double(engine, one.double)
        elif self.idempotency is not None:
            await load_open(engine, one)

    def apply(self, engine: Engine, change: Change, now: int) -> Begun:
        if (once := self.idempotency) is not None:
            stored(engine, change, "reply", once.scope, once.key)
            if self.early is not None:
                return replayed(once, self.early)
        one = self.wanted
        start = e.Start(engine.run_id(now), engine.identity.seed(), one.uid, self.input)
        begun = self.starter.start(change, one, start, now)
        if once is not None:
            self._remember(engine, change, once, begun, now)
        return begun

    def _remember(
        self, engine: Engine, change: Change, once: Idempotency, begun: Begun, now: int
    ) -> None:
        state, before = begun.state, self.wanted.before
        if state is None and before is not None and before.run_id == begun.run_id:
            state = before.state
        if state is None and (resident := engine.residents.get(begun.run_id)) is not None:
            state = resident.state
        answer = b"" if state is None else once.answer(state, begun.duplicate)
        engine.fresh["reply", once.scope, once.key] = change
        row = Reply(once.scope, once.key, once.digest, answer, now, once.expires_at)
        change.rows.replies.append(row)


async def load_open(engine: Engine, one: Wanted) -> None:
    """The run that has its uid, or is next to have it; its rule may do without."""
    if one.uid is not None and (run_id := one.taken or engine.first_in_line(*one.pair)):
        there = await engine.residents.look(run_id)
        if not engine.territory.has_run(run_id):
            one.before = there


async def loaded_double(engine: Engine, run_id: str) -> Resident:
    """The run that starts which are one are answered with. Raises ``ConflictError``."""
    try:
        return await engine.residents.look(run_id)
    except NotFoundError:
        why = f"this start counts as run {run_id} (`dedup`), which was removed since"
        raise ConflictError(f"{why}; it starts anew when the window is over") from None


def replayed(once: Idempotency, reply: Reply) -> Begun:
    """The answer that was given before."""
    if reply.digest != once.digest:
        raise ConflictError(f"Idempotency-Key {once.key!r} was used for another request")
    return Begun("", duplicate=True, answer=reply.answer)
