"""The histories of a store that is moved, judged as they pass: nothing is opened for that."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from ostinato.app.checking import GraphOf, Violation, judge_history, shown_differs
from ostinato.errors import Damaged
from ostinato.ports import Head, Record
from ostinato.storage import rows
from ostinato.storage.moving import KIND, Row, Store
from ostinato.storage.values import holes_in, joined

MOST = 100
"""Violations that are named."""


@dataclass(slots=True)
class Judged:
    """``runs`` were looked at, ``open`` of them go on; ``violations`` are the first ``MOST`` of
    ``wrong`` ones."""

    runs: int = 0
    open: int = 0
    wrong: int = 0
    violations: list[Violation] = field(default_factory=list)

    def note(self, found: Sequence[Violation]) -> None:
        self.wrong += len(found)
        self.violations += found[: MOST - len(self.violations)]


async def judged(store: Store, graph_of: GraphOf) -> Judged:
    """Every run, by its history and what lists show; those that are being removed have no head."""
    told = Judged()
    heads, removed = _flat(store, "run"), {row[0] async for row in _flat(store, "removed")}
    histories = _histories(store)
    records = await _next(histories)
    async for row in heads:
        head = rows.head(row)
        while records and records[0].run_id < head.run_id:
            _headless(told, records, removed)
            records = await _next(histories)
        if not records or records[0].run_id != head.run_id:
            told.note([Violation(head.run_id, -1, "history.lost", "it has no history")])
            continue
        _judge(told, graph_of, head, records)
        records = await _next(histories)
    while records:
        _headless(told, records, removed)
        records = await _next(histories)
    return told


async def _next(histories: AsyncIterator[list[Record]]) -> list[Record]:
    """Empty behind the last."""
    try:
        return await anext(histories)
    except StopAsyncIteration:
        return []


def _headless(told: Judged, records: Sequence[Record], removed: set[str]) -> None:
    if (run_id := records[0].run_id) not in removed:
        told.note([Violation(run_id, -1, "head.lost", "it has a history, and no list shows it")])


def _judge(told: Judged, graph_of: GraphOf, head: Head, records: Sequence[Record]) -> None:
    told.runs += 1
    told.open += head.ended_at is None
    state, found = judge_history(graph_of, head.run_id, records)
    if state is not None and (differs := shown_differs(head, state)):
        found.append(Violation(head.run_id, -1, "head.differs", differs))
    told.note(found)


async def _flat(store: Store, kind: str) -> AsyncIterator[Row]:
    async for lot in store.rows(KIND[kind]):
        for row in lot:
            yield row


async def _histories(store: Store) -> AsyncIterator[list[Record]]:
    """Run by run, in the order of their ids."""
    records: list[Record] = []
    async for row in _flat(store, "history"):
        if records and records[0].run_id != row[0]:
            yield records
            records = []
        run_id, seq, at, version, *_ = row
        records.append(Record(run_id, seq, at, version, await _whole(store, row)))
    if records:
        yield records


async def _whole(store: Store, row: Row) -> bytes:
    data, holes = row[4], row[5]
    if holes is None:
        return bytes(data)
    places = holes_in(holes)
    known = {digest: await store.value(digest) for _, digest in places}
    try:
        return joined(data, places, known.get)
    except Damaged:  # what is left of it cannot be read, and that is told
        return b""
