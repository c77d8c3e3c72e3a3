"""A run in memory, and how it is loaded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from ostinato.core.codec import decode_facts
from ostinato.core.facts import Fact, RunStarted
from ostinato.core.fold import replay_one
from ostinato.core.fold.large import lighten
from ostinato.core.graph import Graph
from ostinato.core.run_ids import partition_of
from ostinato.core.state import LARGE, State
from ostinato.core.views import status_of
from ostinato.errors import Damaged, NotFoundError, Unloadable
from ostinato.ports import Head, Partitions, Record, Storage
from ostinato.runtime.territory import Territory


class Abroad(Exception):
    """What is asked for lies in a partition of another process."""

    def __init__(self, partition: int) -> None:
        super().__init__(partition)
        self.partition = partition


GraphOf = Callable[[str, int], Graph]
"""Finds the graph of (workflow, version)."""


class Resident:
    """A run's state, and the head that the store shows of it. ``stale``: it came to nothing."""

    __slots__ = ("head", "run_id", "stale", "state")

    def __init__(self, run_id: str, state: State) -> None:
        self.run_id = run_id
        self.state = state
        self.stale = False
        self.head: tuple[Any, ...] | None = None

    def new_head(self) -> Head | None:
        """What lists should show now, or None when they already do."""
        state = self.state
        at_work = state.busy > state.offered
        how = (state.doing, state.waiting_for, at_work, state.ended_at, state.error)
        shown = (status_of(state), *how)
        if shown == self.head:
            return None
        self.head = shown
        return head_of(state)


def head_of(state: State) -> Head:
    error, event = state.error, state.event_value or {}
    reason = state.stuck[0] if state.stuck else None
    return Head(
        run_id=state.run_id,
        workflow=state.workflow,
        version=state.version,
        status=status_of(state),
        started_at=state.started_at,
        uid=state.uid,
        doing=state.doing,
        waiting_for=state.waiting_for,
        busy=state.at_work and not state.ended,
        ended_at=state.ended_at,
        error_name=error.name if error else reason and "Incident",
        error_message=error.message if error else reason,
        event_source=event.get("source"),
        event_id=event.get("id"),
    )


class Residents:
    """The runs in memory. Those that only wait leave, oldest first, beyond ``limit``."""

    def __init__(
        self, storage: Storage, graph_of: GraphOf, territory: Territory, limit: int = 10_000
    ) -> None:
        self._storage = storage
        self._territory = territory
        self._graph_of = graph_of
        self._limit = limit
        self._runs: OrderedDict[str, Resident] = OrderedDict()
        self._uids: dict[tuple[str, str], Resident] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def get(self, run_id: str) -> Resident | None:
        return self._runs.get(run_id)

    def add(self, resident: Resident) -> None:
        self._runs[resident.run_id] = resident
        state = resident.state
        if state.uid is not None and not state.behind:
            self._uids[state.workflow, state.uid] = resident

    def drop(self, run_id: str) -> None:
        resident = self._runs.pop(run_id, None)
        if resident is not None:
            self._forget_uid(resident)

    def spoil(self, resident: Resident) -> None:
        """It is ahead of the store, which did not take its facts: it must be loaded again."""
        resident.stale = True
        if self._runs.get(resident.run_id) is resident:
            self.drop(resident.run_id)

    def _forget_uid(self, resident: Resident) -> None:
        state = resident.state
        if state.uid is not None and self._uids.get((state.workflow, state.uid)) is resident:
            del self._uids[state.workflow, state.uid]

    def open_under(self, workflow: str, uid: str) -> Resident | None:
        """The open run in memory that has this uid."""
        resident = self._uids.get((workflow, uid))
        return None if resident is None or resident.state.ended else resident

    async def load(self, run_id: str) -> Resident:
        """From memory, else from its history. Raises ``NotFoundError``, and ``Abroad``."""
        resident = self._runs.get(run_id)
        if resident is None:
            if not self._territory.has_run(run_id):
                raise Abroad(partition_of(run_id))
            resident = await self._read(run_id)
            if not resident.state.ended:
                self.add(resident)
        return resident

    async def look(self, run_id: str) -> Resident:
        """To be read, and told nothing: a run of another process may go on meanwhile."""
        if self._territory.has_run(run_id):
            return await self.load(run_id)
        return await self._read(run_id)

    async def _read(self, run_id: str) -> Resident:
        resident = Resident(run_id, await load_state(self._storage, self._graph_of, run_id))
        resident.new_head()
        return resident

    def give(self, partitions: Partitions) -> None:
        """Those that another process goes on with."""
        for run_id in [name for name in self._runs if partition_of(name) in partitions]:
            self.drop(run_id)

    def shrink(self) -> None:
        """Between two ticks. Moving the busy ones behind keeps this O(1) over time."""
        excess = len(self._runs) - self._limit
        for _ in range(excess + 64 if excess > 0 else 0):
            run_id, resident = self._runs.popitem(last=False)
            if resident.state.at_work:
                self._runs[run_id] = resident
                continue
            self._forget_uid(resident)
            excess -= 1
            if not excess:
                return


FIRST, LATER = 64, 2_000
"""Records that are read at once: a run may have more bytes in its history than there is memory."""

LOT = 64 << 20
"""Bytes of records that are read at once, as far as those before tell."""


async def load_state(storage: Storage, graph_of: GraphOf, run_id: str) -> State:
    """From its history, a lot of records at a time."""
    state, lot = None, FIRST
    while True:
        after = -1 if state is None else state.seq - 1
        try:
            records = await storage.history(run_id, after, lot)
        except Damaged as error:
            raise _unloadable(run_id, error) from error
        if not records:  # never there, or removed in between
            raise NotFoundError(f"there is no run {run_id!r}")
        new = records if state is None else [one for one in records if one.seq >= state.seq]
        try:
            state = _replayed(state, new, graph_of)
        except Exception as error:
            raise _unloadable(run_id, error) from error
        if len(records) < lot or not new:
            return state
        lot = _next_lot(records)


def _next_lot(records: Sequence[Record]) -> int:
    mean = sum(len(record.data) for record in records) // len(records)
    return max(1, min(LATER, LOT // max(mean, 1)))


def _replayed(state: State | None, records: Sequence[Record], graph_of: GraphOf) -> State:
    for record in records:
        facts = decode_facts(record.data, record.version)
        if state is None:
            state = _begun(facts[0], graph_of)
        replay_one(state, record.at, facts)
        if len(record.data) > LARGE:
            lighten(state, facts)
    assert state is not None  # noqa: S101 - the first lot is never empty
    return state


def _begun(started: Fact, graph_of: GraphOf) -> State:
    if not isinstance(started, RunStarted):
        raise ValueError("its history does not begin with its start")
    return State(graph_of(started.workflow, started.version))


def _unloadable(run_id: str, error: Exception) -> Unloadable:
    return Unloadable(
        f"run {run_id} cannot be loaded: {type(error).__name__}: {error}; its history is kept. "
        "Start a version of Ostinato that reads it, with the workflow's document in place, and "
        "it goes on; or start its work again as another run"
    )
