"""A start meets the run that has its uid, or had it: ``core.uids`` says what comes of that."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Raw, json
from msgspec.structs import replace

from ostinato.core import events as e
from ostinato.core.decide import refuse
from ostinato.core.graph import Graph
from ostinato.core.instants import format_instant
from ostinato.core.uids import START, line, move, refusal
from ostinato.errors import Busy, ConflictError
from ostinato.ports import Mail
from ostinato.runtime.bounds import NEAR
from ostinato.runtime.mail import said
from ostinato.runtime.posts import NotYet, Pair, stored
from ostinato.runtime.resident import Resident
from ostinato.runtime.wanted import Begun, Wanted
from ostinato.telemetry.logger import logger

if TYPE_CHECKING:
    from ostinato.runtime.change import Change
    from ostinato.runtime.engine import Engine

    BeginRun = Callable[[Change, Graph, e.Start, int], Begun]

log = logger("ostinato.starts")

BY = "uid"
WHY = "it was started again under its uid"


class Standing:
    """``longest``: so many runs may wait in the line of one uid."""

    def __init__(self, engine: Engine, begin: BeginRun) -> None:
        self.engine = engine
        self.begin = begin
        self.longest = 1_000

    def meet(self, change: Change, one: Wanted, event: e.Start, now: int) -> Begun:
        there, run_id = self._who(change, one)
        status = None if run_id is None else _status(there)
        match move(one.rule, status):
            case "begin":
                return self.begin(change, one.graph, event, now)
            case "queue":
                return self._queue(change, one, event, now)
            case "signal":
                return self._signal(change, _loaded(there), event, now)
            case "resume":
                return self._resume(change, one, event, now)
            case "refuse":
                over = status if there is not None and there.state.ended else None
                raise refusal(one.graph.workflow, event.uid or "", run_id or "", over)
        return _same(run_id or "", there)

    def _who(self, change: Change, one: Wanted) -> tuple[Resident | None, str | None]:
        """The run that counts, and its name; it may be that nobody has loaded it."""
        engine, pair = self.engine, one.pair
        stored(engine, change, "uid", *pair)
        there = engine.residents.open_under(*pair)
        if there is not None:
            return there, there.run_id
        if one.taken is not None and not _has_ended(engine, one.taken):
            return self._seen(one, one.taken), one.taken
        stored(engine, change, "freed", *pair)  # or its holder may go on
        stored(engine, change, "line", *pair)
        if (first := engine.first_in_line(*pair)) is not None:
            return self._seen(one, first), first
        before = one.before
        if before is None:
            return None, None
        if before.stale or not before.state.ended:
            raise NotYet
        return before, before.run_id

    def _seen(self, one: Wanted, run_id: str) -> Resident | None:
        """As it was loaded. One that is another by now is looked for again."""
        there = self.engine.residents.get(run_id)
        if there is not None:
            return there
        if not one.loads:
            return None
        if one.before is None or one.before.run_id != run_id or one.before.stale:
            raise NotYet
        return one.before

    def _queue(self, change: Change, one: Wanted, event: e.Start, now: int) -> Begun:
        """Behind who is open, and behind all who wait already."""
        engine, name = self.engine, line(*one.pair)
        self._check_room(name, one.pair)
        holder = engine.residents.open_under(*one.pair)
        if holder is not None:
            engine.tell(change, holder, e.Followed(name), now)
        elif self._has_left(one.taken):
            raise NotYet
        return self.begin(change, one.graph, replace(event, behind=name), now)

    def _has_left(self, run_id: str | None) -> bool:
        """It was loaded, and is not in memory any more. One of another process never was: until it
        has ended, the store takes nobody else in its place."""
        here = run_id is not None and self.engine.territory.has_run(run_id)
        return here and not _has_ended(self.engine, run_id or "")

    def _check_room(self, name: str, pair: Pair) -> None:
        waiting = self.engine.length_of_line(name)
        if waiting >= self.longest:
            raise Busy(
                f"{waiting:,} runs of {pair[0]} wait under the uid {pair[1]!r} (the limit is "
                f"{self.longest:,}); start it later, or raise limits.uid_queue"
            )
        if waiting + 1 >= NEAR * self.longest > waiting:
            what = f"runs of {pair[0]} under one uid"
            log.warning("limit.near", what=what, count=waiting + 1, setting="limits.uid_queue")

    def _signal(self, change: Change, there: Resident, event: e.Start, now: int) -> Begun:
        sent = _as_event(event, self.engine.identity.event_id(now), now)
        told = e.Signalled(sent, BY, WHY, keep=True)
        refuse(there.state, told)
        if self.engine.territory.has_run(there.run_id):
            self.engine.tell(change, there, told, now)
        else:
            self._say(change, "tell", there, told, now)
        return _same(there.run_id, there)

    def _say(self, change: Change, kind: str, there: Resident, event: e.Event, now: int) -> None:
        """It began before the runs of a uid had a home, and is another process's."""
        caller, key = f"uid {there.state.uid}", self.engine.identity.event_id(now)
        mail = Mail(kind, there.run_id, caller, key, 0, said(event))
        change.rows.mail[mail.line] = mail

    def _resume(self, change: Change, one: Wanted, event: e.Start, now: int) -> Begun:
        """What was taken back is not there to go on with: then another run begins."""
        engine, there = self.engine, _loaded(one.before)
        stored(engine, change, "reopened", there.run_id, "")
        asked = e.RetryRequested(BY, WHY)
        try:
            refuse(there.state, asked)
        except ConflictError:
            return self.begin(change, one.graph, event, now)
        engine.fresh["reopened", there.run_id, ""] = change
        engine.fresh["uid", one.graph.workflow, one.uid or ""] = change
        if not engine.territory.has_run(there.run_id):
            self._say(change, "repair", there, asked, now)
            return _same(there.run_id, there)
        engine.residents.add(there)
        engine.tell(change, there, asked, now)
        return _same(there.run_id, there)


def _status(there: Resident | None) -> str:
    return "open" if there is None or not there.state.ended else there.state.status


def _same(run_id: str, there: Resident | None) -> Begun:
    return Begun(run_id, duplicate=True, state=None if there is None else there.state)


def _loaded(there: Resident | None) -> Resident:
    if there is None:
        raise NotYet
    return there


def _has_ended(engine: Engine, run_id: str) -> bool:
    """In this very tick."""
    there = engine.residents.get(run_id)
    return there is not None and there.state.ended


def _as_event(start: e.Start, event_id: str, now: int) -> Raw:
    """The event that starts, or one made of the input."""
    if start.event is not None:
        return start.event
    members = {
        "id": event_id, "source": "ostinato/start", "type": START, "time": format_instant(now),
        "subject": None, "data": start.input,
    }  # fmt: skip
    return Raw(json.encode(members))
