"""Taking away what is old: part of a batch, by key, in time that depends on what goes alone."""

from __future__ import annotations

import sqlite3

from ostinato.ports import Removal
from ostinato.storage import rows
from ostinato.storage.sqlite import statements as sql
from ostinato.storage.sqlite import values
from ostinato.storage.values import event_owner, letter_owner, reply_owner, run_owner


def remove(db: sqlite3.Connection, removal: Removal) -> None:
    if removal.runs:
        _remove_runs(db, removal.runs, removal.ended_before)
    if removal.rows:
        _sweep(db, removal.rows)
        values.sweep(db)
    if removal.events:
        _remove_events(db, removal.events)
    if removal.dead_letters:
        values.disown(db, map(letter_owner, removal.dead_letters))
        db.executemany(sql.DROP_LETTER, [(letter_id,) for letter_id in removal.dead_letters])
    for scope, key in removal.replies:
        drop_reply(db, scope, key, removal.at)
    for operation_id in removal.operations:
        which = (operation_id, operation_id, removal.rows, operation_id)
        db.execute(sql.DROP_OPERATION_RUNS, which)
        db.execute(sql.DROP_OPERATION, (operation_id, operation_id))


def drop_reply(db: sqlite3.Connection, scope: str, key: str, at: int) -> None:
    """If it has expired by then."""
    if db.execute(sql.EXPIRED_CUT_REPLY, (scope, key, at)).fetchone():
        values.disown(db, [reply_owner(scope, key)])
    db.execute(sql.DROP_EXPIRED_REPLY, (scope, key, at))


def _remove_runs(db: sqlite3.Connection, runs: list[str], before: int) -> None:
    """First the names, then the heads: what else a run has is found by its name there."""
    asked = (rows.json_text(runs),)
    db.execute(sql.NOTE_REMOVED, (*asked, before))
    going = db.execute(sql.GOING_RUNS, asked).fetchall()
    values.disown(db, [run_owner(run_id) for (run_id,) in going])
    db.executemany(sql.DROP_RUN, [(run_id, before) for run_id in runs])
    twice = [(run_id, run_id) for run_id in runs]
    db.executemany(sql.DROP_WAITS, twice)
    db.executemany(sql.DROP_TIMERS, twice)
    db.executemany(sql.DROP_TASKS, twice)


def _sweep(db: sqlite3.Connection, most: int) -> None:
    for (run_id,) in db.execute(sql.REMOVED, (most,)).fetchall():
        deleted = db.execute(sql.SWEEP, (run_id, most)).rowcount
        most -= deleted
        if most <= 0:
            return
        db.execute(sql.SWEPT, (run_id,))


def _remove_events(db: sqlite3.Connection, events: list[tuple[str, str]]) -> None:
    (newest,) = db.execute(sql.LAST_EVENT).fetchone()
    named = [(event_id, source, newest) for source, event_id in events]
    for one in named:
        cut = db.execute(sql.GOING_CUT_EVENT, one).fetchall()
        values.disown(db, [event_owner(number) for (number,) in cut])
    db.executemany(sql.DROP_EVENT_KEYS, named)
    db.executemany(sql.DROP_EVENT, named)
