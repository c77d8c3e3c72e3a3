"""Taking away what is old: part of a batch, by key, in time that depends on what goes alone."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence

from ostinato.ports import Removal
from ostinato.storage.postgres import statements as sql
from ostinato.storage.postgres.arrays import columns, number, text, texts
from ostinato.storage.postgres.values import LOT, MANY
from ostinato.storage.postgres.wire import Ask


def remove(removal: Removal) -> Iterator[Ask]:
    if removal.runs:
        yield from _remove_runs(removal.runs, removal.ended_before)
    if removal.rows:
        yield Ask(sql.SWEEP, [number(removal.rows)])
        yield Ask(sql.SWEPT, [number(removal.rows)])
        yield from _sweep_values()
    if removal.events:
        yield Ask(sql.DROP_EVENTS, columns("tt", removal.events))
    if removal.dead_letters:
        yield Ask(sql.DROP_LETTERS, [texts(removal.dead_letters)])
    if removal.replies:
        yield from drop_replies([(*named, removal.at) for named in removal.replies])
    for operation_id in removal.operations:
        yield Ask(sql.DROP_OPERATION_RUNS, [text(operation_id), number(removal.rows)])
        yield Ask(sql.DROP_OPERATION, [text(operation_id)])


def drop_replies(named: Sequence[tuple[str, str, int]]) -> Iterator[Ask]:
    """(scope, key, when): each if it has expired by then."""
    yield Ask(sql.DROP_REPLIES, columns("tti", named))


def _remove_runs(runs: list[str], before: int) -> Iterator[Ask]:
    """First the names, then the heads: what else a run has is found by its name there."""
    named = texts(sorted(runs))
    yield Ask(sql.NOTE_REMOVED, [named, number(before)])
    yield Ask(sql.DROP_RUNS, [named, number(before)])
    yield Ask(sql.DISOWN_RUNS, [named])
    for drop in sql.DROP_OF_RUNS:
        yield Ask(drop, [named])


def _sweep_values() -> Iterator[Ask]:
    """Delete some of what nobody uses any more; a random number marks those of this batch."""
    lot = number(secrets.randbits(62))
    yield Ask(sql.MARK_LOOSE, [lot, number(MANY), number(LOT)])
    yield Ask(sql.DROP_LOOSE, [lot])
    yield Ask(sql.NOT_LOOSE, [lot])
