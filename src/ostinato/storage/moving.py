"""How a store is moved: what there is, kind by kind, in a form that is the same for all of them.

Numbers of events are the order in which they came, and ``wait.after`` is the last that was there
when the wait was opened: each store has its own way to keep that. Owners of values are those of
PostgreSQL.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from ostinato.errors import StoreError

Row = tuple[Any, ...]
ValueOf = Callable[[bytes], Awaitable[bytes | None]]

TYPES = {"t": str, "b": bytes, "i": int, "f": bool}
LOT = 1_000
"""Rows that are read, and written, at once."""

FEW = 16
"""… of those that may be large."""

UNDO = "ostinato migrate-store --undo --from"


@dataclass(frozen=True, slots=True)
class Kind:
    """A table. ``types`` has a letter of ``TYPES`` for each column, the first ``key`` columns name
    a row and order them. ``read`` are columns that only people read.
    """

    name: str
    columns: tuple[str, ...]
    types: str
    key: int = 1
    lot: int = LOT
    read: tuple[str, ...] = ()

    def name_of(self, row: Row) -> str:
        """For people."""
        pairs = zip(self.columns[: self.key], row[: self.key], strict=True)
        return f"{self.name} {', '.join(f'{name} = {_shown(value)}' for name, value in pairs)}"

    def check(self, place: str, row: Row) -> None:
        """Raises ``StoreError`` for what something else has written."""
        for name, letter, value in zip(self.columns, self.types, row, strict=True):
            if value is not None and type(value) is not TYPES[letter]:
                raise StoreError(
                    f"{place}: {self.name_of(row)}: {name} holds {type(value).__name__}, not "
                    f"{TYPES[letter].__name__}: something else has written there; bring the store "
                    "back from a copy, or remove that row"
                )


def _shown(value: Any) -> str:
    return value.hex()[:16] if isinstance(value, bytes) else repr(value)


def _kind(name: str, columns: str, **more: Any) -> Kind:
    """``columns`` as ``name:type``."""
    pairs = [column.split(":") for column in columns.split()]
    return Kind(name, tuple(pair[0] for pair in pairs), "".join(pair[1] for pair in pairs), **more)


COUNTER = "counter"
"""A kind that is no table: numbers that are given, and never twice."""

KINDS = (
    _kind("version", "workflow:t version:i digest:t document:b created_at:i workflow_id:t "
          "retired:f", key=2, lot=FEW),
    _kind("value", "digest:b data:b", lot=FEW),
    _kind("event", "number:i id:t source:t type:t time:i subject:t data:b holes:t extensions:t "
          "description:t received_at:i answer:b values_keys:t"),
    _kind("event_key", "type:t values_key:t received_at:i number:i", key=4),
    _kind("run", "run_id:t workflow:t version:i status:t started_at:i uid:t doing:t waiting_for:t "
          "busy:f ended_at:i error_name:t error_message:t event_source:t event_id:t",
          read=("error_message",)),
    _kind("history", "run_id:t seq:i at:i version:i data:b holes:t", key=2),
    _kind("wait", "run_id:t key:t type:t values_key:t since:i after:i", key=3),
    _kind("timer", "run_id:t key:t kind:t due_at:i", key=3),
    _kind("outbox", "number:i run_id:t event:b holes:t bus:t"),
    _kind("reply", "scope:t key:t digest:t answer:b holes:t at:i expires_at:i", key=2),
    _kind("dead_letter", "id:t at:i kind:t target:t event_source:t event_id:t reasons:b event:t "
          "holes:t run_id:t attempts:i redriven_at:i redriven_by:t redriven_run:t"),
    _kind("schedule", "id:t workflow:t says:t next_for:i due_at:i planned_at:i waits_for:t "
          "last_for:i last_at:i last_run:t missed_for:i paused_at:i paused_by:t paused_why:t",
          read=("paused_why",)),
    _kind("turn", "number:i run_id:t key:t priority:i wants:b"),
    _kind("place", "name:t n:i run_id:t key:t", key=2),
    _kind("bucket", "name:t full_at:i"),
    _kind("mail", "number:i kind:t told:t caller:t key:t attempt:i body:b partition:i"),
    _kind("task", "id:t run_id:t key:t attempt:i workflow:t name:t assignee:t due_at:i "
          "opened_at:i asked:b asked_holes:t status:t ended_at:i done_by:t outcome:t answer:b "
          "answer_holes:t"),
    _kind("operation", "id:t status:t expires_at:i ended_at:i data:b", lot=FEW),
    _kind("operation_run", "operation:t run_id:t outcome:t reason:t", key=2, read=("reason",)),
    _kind("job", "number:i id:t run_id:t key:t attempt:i topic:t workflow:t priority:i ready_at:i "
          "brief:b holes:t timeout:i deaths:i token:t worker:t claimed_at:i lease_until:i "
          "cancelled:f"),
    _kind("removed", "run_id:t"),
    _kind("value_use", "owner:t digest:b", key=2),
    _kind("value_loose", "digest:b"),
    _kind(COUNTER, "name:t last:i"),
)  # fmt: skip
"""In this order: what a row refers to is there before it."""

TABLES = tuple(kind for kind in KINDS if kind.name != COUNTER)
KIND = {kind.name: kind for kind in KINDS}


class Moved(NamedTuple):
    """What a store says that was moved: where to, and when (ms)."""

    to: str
    at: int


class Store(Protocol):
    """One end of a move: nobody else uses the store from ``open`` to ``close``.

    ``place`` is its URL without secrets. All raise ``StoreError`` and ``StoreLocked``.
    """

    place: str

    async def open(self) -> None:
        """Bring its tables up to date, and hold it."""

    async def close(self) -> None:
        """What was not finished has never been; safe to repeat."""

    async def counts(self) -> dict[str, int]:
        """Rows of each table."""

    def rows(self, kind: Kind) -> AsyncIterator[Sequence[Row]]:
        """In the order of their keys, ``kind.lot`` at a time."""

    async def value(self, digest: bytes) -> bytes | None: ...


class Source(Store, Protocol):
    async def moved(self) -> Moved | None: ...

    async def mark(self, moved: Moved | None) -> None:
        """Say, or say no more, that it was moved; kept when this returns."""


class Target(Store, Protocol):
    def fitting(self, kind: Kind, rows: Sequence[Row]) -> Sequence[Row]:
        """As they will be held here. Raises ``StoreError`` for what cannot be."""

    async def write(self, kind: Kind, rows: Sequence[Row], value: ValueOf) -> None:
        """``value`` finds values of the source by digest."""

    async def finish(self) -> None:
        """All that was written is kept from now on, whole.

        Raises ``UnknownCommit`` when nobody knows; after any other error nothing was.
        """


async def next_lot(lots: AsyncIterator[Sequence[Row]]) -> Sequence[Row]:
    """Empty behind the last."""
    try:
        return await anext(lots)
    except StopAsyncIteration:
        return ()


def refusal(place: str, shown: str, moved: Moved, when: str) -> StoreError:
    """Why a store that was moved is not opened. ``shown`` is its URL for a command."""
    return StoreError(
        f"{place} was moved to {moved.to} on {when}, and is not used any more; set store = that "
        f"URL (OSTINATO_STORE), or, to go on here and never there, `{UNDO} {shown}`",
        moved=moved.to,
    )
