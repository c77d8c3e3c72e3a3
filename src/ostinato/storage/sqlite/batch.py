"""One batch, one transaction. The fence comes first: a stale writer changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from itertools import chain
from pathlib import Path

from ostinato.errors import Fenced, Refused
from ostinato.ports import Batch, Head
from ostinato.storage.sqlite import faults, rows
from ostinato.storage.sqlite import statements as sql
from ostinato.storage.sqlite.removing import remove

Finish = Callable[[sqlite3.Connection], object]


def finish(db: sqlite3.Connection) -> None:
    db.execute("COMMIT")


def write(file: Path, db: sqlite3.Connection, batch: Batch, finish: Finish = finish) -> None:
    """Raises what ``Storage`` promises; after all but ``UnknownCommit`` nothing was kept."""
    try:
        db.execute("BEGIN IMMEDIATE")
        _write_all(db, batch)
    except faults.BAD_ROW as error:
        _undo(db)
        raise faults.refused(error) from error
    except sqlite3.Error as error:
        _undo(db)
        raise faults.store_error(file, error) from error
    except BaseException:
        _undo(db)
        raise
    try:
        finish(db)
    except sqlite3.Error as error:
        raise faults.unknown(file, error) from error


def join(file: Path, db: sqlite3.Connection) -> int:
    with faults.told(file):
        (epoch,) = db.execute(sql.JOIN).fetchone()
    return int(epoch)


def _undo(db: sqlite3.Connection) -> None:
    if db.in_transaction:  # SQLite has rolled back by itself after a full disk
        db.execute("ROLLBACK")


def _write_all(db: sqlite3.Connection, batch: Batch) -> None:
    outgoing = _check_fence(db, batch.epoch)
    if batch.events or batch.waits:
        _write_events_and_waits(db, batch)
    if batch.closed_waits:
        db.executemany(sql.CLOSE_WAIT, batch.closed_waits)
    if batch.replies:
        _write_replies(db, batch)
    if batch.records:
        db.executemany(sql.ADD_RECORD, map(rows.record_row, batch.records))
    if batch.new_heads or batch.heads:
        _write_heads(db, batch)
    if batch.timers:
        _write_timers(db, batch.timers)
    if batch.outgoing or batch.sent:
        _write_outbox(db, batch, outgoing)
    if batch.versions or batch.retired:
        _write_versions(db, batch)
    if batch.freed or batch.turns or batch.served or batch.places:
        _write_limits(db, batch)
    if batch.dead_letters:
        db.executemany(sql.ADD_DEAD_LETTER, map(rows.letter_row, batch.dead_letters))
    if batch.schedules or batch.dropped_schedules:
        db.executemany(sql.DROP_SCHEDULE, [(name,) for name in batch.dropped_schedules])
        db.executemany(sql.PUT_SCHEDULE, map(rows.schedule_row, batch.schedules))
    if batch.redriven:
        _write_redriven(db, batch)
    if batch.operations or batch.matched or batch.settled:
        _write_operations(db, batch)
    if batch.removal is not None:
        remove(db, batch.removal)


def _write_limits(db: sqlite3.Connection, batch: Batch) -> None:
    db.executemany(sql.FREE_TURN, batch.freed)
    db.executemany(sql.FREE_PLACES, batch.freed)
    db.executemany(sql.ADD_TURN, map(rows.turn_row, batch.turns.values()))
    db.executemany(sql.FREE_TURN, batch.served)
    db.executemany(sql.ADD_PLACE, map(rows.place_row, batch.places))
    db.executemany(sql.PUT_BUCKET, batch.buckets.items())


def _check_fence(db: sqlite3.Connection, epoch: int) -> int:
    """The last number given in the outbox, as it is in the same row."""
    current, outgoing = db.execute(sql.FENCE).fetchone()
    if current != epoch:
        raise Fenced(f"epoch {epoch} is stale, the store is at {current}; join again")
    return int(outgoing)


def _write_events_and_waits(db: sqlite3.Connection, batch: Batch) -> None:
    (last,) = db.execute(sql.LAST_EVENT).fetchone()
    numbered = list(enumerate(batch.events, last + 1))
    if numbered:
        db.executemany(sql.ADD_EVENT, [rows.event_row(*item) for item in numbered])
        keys = chain.from_iterable(rows.event_key_rows(*item) for item in numbered)
        db.executemany(sql.ADD_EVENT_KEY, keys)
    if batch.waits:
        db.executemany(sql.PUT_WAIT, [rows.wait_row(wait, last) for wait in batch.waits])


def _write_replies(db: sqlite3.Connection, batch: Batch) -> None:
    for reply in batch.replies:
        db.execute(sql.DROP_EXPIRED_REPLY, (reply.scope, reply.key, reply.at))
        db.execute(sql.ADD_REPLY, rows.reply_row(reply))


def _write_heads(db: sqlite3.Connection, batch: Batch) -> None:
    """Runs that end come first: their ``uid`` is free for those that open."""
    new = {head.run_id for head in batch.new_heads}
    _change_heads(db, [head for head in batch.heads.values() if head.run_id not in new])
    if not batch.heads:
        db.executemany(sql.ADD_HEAD, map(rows.head_row, batch.new_heads))
    elif new:
        moved = [(head, batch.heads.get(head.run_id, head)) for head in batch.new_heads]
        moved.sort(key=lambda pair: _is_open(pair[1]))
        db.executemany(sql.ADD_HEAD, [rows.moved_head_row(*pair) for pair in moved])


def _change_heads(db: sqlite3.Connection, heads: list[Head]) -> None:
    if not heads:
        return
    heads.sort(key=_is_open)
    changed = db.executemany(sql.CHANGE_HEAD, map(rows.head_change_row, heads)).rowcount
    if changed != len(heads):
        raise Refused("a run that was never started has no head to change")


def _is_open(head: Head) -> bool:
    return head.ended_at is None


def _write_timers(db: sqlite3.Connection, timers: dict[tuple[str, str, str], int | None]) -> None:
    set_to = [(*timer, due_at) for timer, due_at in timers.items() if due_at is not None]
    if set_to:
        db.executemany(sql.SET_TIMER, set_to)
    if len(set_to) != len(timers):
        cleared = [timer for timer, due_at in timers.items() if due_at is None]
        db.executemany(sql.CLEAR_TIMER, cleared)


def _write_outbox(db: sqlite3.Connection, batch: Batch, last: int) -> None:
    if batch.sent:
        db.executemany(sql.DROP_SENT, [(number,) for number in batch.sent])
    if batch.outgoing:
        numbered = enumerate(batch.outgoing, last + 1)
        db.executemany(sql.ADD_OUTGOING, [rows.outgoing_row(*item) for item in numbered])
        db.execute(sql.COUNT_OUTGOING, (last + len(batch.outgoing),))


def _write_versions(db: sqlite3.Connection, batch: Batch) -> None:
    db.executemany(sql.RETIRE, batch.retired)
    for version in batch.versions:
        if db.execute(sql.PUT_VERSION, rows.version_row(version)).rowcount != 1:
            raise Refused(
                f"version {version.version} of {version.workflow!r} is another document already"
            )


def _write_redriven(db: sqlite3.Connection, batch: Batch) -> None:
    for letter in batch.redriven:
        if db.execute(sql.REDRIVE, rows.redriven_row(letter)).rowcount != 1:
            raise Refused(f"dead letter {letter.id!r} is gone, or was redriven already")


def _write_operations(db: sqlite3.Connection, batch: Batch) -> None:
    db.executemany(sql.PUT_OPERATION, map(rows.operation_row, batch.operations))
    db.executemany(sql.ADD_MATCHED, batch.matched)
    for one in batch.settled:
        if db.execute(sql.SETTLE_RUN, rows.settled_row(one)).rowcount != 1:
            raise Refused(f"run {one.run_id!r} is not left in operation {one.operation!r}")
