"""One batch, one transaction. The fence comes first: a stale writer changes nothing."""

from __future__ import annotations

import sqlite3
from itertools import chain
from pathlib import Path

from ostinato.errors import Fenced, Overtaken, Refused
from ostinato.ports import Batch, Head, Outgoing, Record, TaskRow
from ostinato.storage import rows
from ostinato.storage.sqlite import faults, jobs, transaction, values
from ostinato.storage.sqlite import statements as sql
from ostinato.storage.sqlite.removing import drop_reply, remove
from ostinato.storage.sqlite.transaction import Finish
from ostinato.storage.values import (
    EVENT,
    RECORD,
    event_owner,
    letter_owner,
    out_owner,
    reply_owner,
    run_owner,
)


def write(
    file: Path, db: sqlite3.Connection, batch: Batch, finish: Finish = transaction.finish
) -> None:
    """Raises what ``Storage`` promises; after all but ``UnknownCommit`` nothing was kept."""
    transaction.alone(file, db, lambda: _write_all(db, batch), finish)


def join(file: Path, db: sqlite3.Connection) -> int:
    with faults.told(file):
        (epoch,) = db.execute(sql.JOIN).fetchone()
    return int(epoch)


def _write_all(db: sqlite3.Connection, batch: Batch) -> None:
    outgoing = _check_fence(db, batch.epoch)
    if batch.events or batch.waits:
        _write_events_and_waits(db, batch)
    if batch.closed_waits:
        db.executemany(sql.CLOSE_WAIT, batch.closed_waits)
    if batch.replies:
        _write_replies(db, batch)
    if batch.records:
        _write_records(db, batch.records, batch.inline)
    if batch.new_heads or batch.heads:
        _write_heads(db, batch)
    if batch.timers:
        _write_timers(db, batch.timers)
    if batch.outgoing or batch.sent:
        _write_outbox(db, batch, outgoing)
    if batch.versions or batch.retired:
        _write_versions(db, batch)
    if batch.freed or batch.turns or batch.served or batch.places or batch.buckets:
        _write_limits(db, batch)
    if batch.tasks:
        _write_tasks(db, batch)
    if batch.dead_letters:
        _write_letters(db, batch)
    if batch.schedules or batch.dropped_schedules:
        db.executemany(sql.DROP_SCHEDULE, [(name,) for name in batch.dropped_schedules])
        db.executemany(sql.PUT_SCHEDULE, map(rows.schedule_row, batch.schedules))
    if batch.redriven:
        _write_redriven(db, batch)
    if batch.operations or batch.matched or batch.settled:
        _write_operations(db, batch)
    if batch.mail:
        said = [mail for mail in batch.mail.values() if mail is not None]
        db.executemany(sql.TAKE_MAIL, [line for line, mail in batch.mail.items() if mail is None])
        db.executemany(sql.ADD_MAIL, map(rows.mail_row, said))
    if batch.jobs:
        jobs.write(db, batch)
    if batch.removal is not None:
        remove(db, batch.removal)


def _write_limits(db: sqlite3.Connection, batch: Batch) -> None:
    db.executemany(sql.FREE_TURN, batch.freed)
    db.executemany(sql.FREE_PLACES, batch.freed)
    db.executemany(sql.ADD_TURN, map(rows.turn_row, batch.turns.values()))
    db.executemany(sql.FREE_TURN, batch.served)
    db.executemany(sql.ADD_PLACE, map(rows.place_row, batch.places))
    if batch.buckets:
        filled = [each for each in batch.buckets.items() if each[1] is not None]
        db.executemany(sql.PUT_BUCKET, filled)
        full = [(name,) for name, full_at in batch.buckets.items() if full_at is None]
        db.executemany(sql.DROP_BUCKET, full)


def _write_tasks(db: sqlite3.Connection, batch: Batch) -> None:
    """In their order: one may be opened, and end, in one batch."""
    for task in batch.tasks:
        owner = run_owner(task.run_id)
        answer: rows.Kept = (None, None)
        if task.answer is not None:
            answer = values.keep(db, owner, task.answer, batch.inline)
        if isinstance(task, TaskRow):
            asked = values.keep(db, owner, task.asked, batch.inline)
            db.execute(sql.PUT_TASK, rows.task_row(task, asked, answer))
        else:
            db.execute(sql.END_TASK, rows.task_end_row(task, answer))


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
        written = [rows.event_row(*item) for item in numbered]
        db.executemany(sql.ADD_EVENT, written)
        if max(map(len, map(rows.event_data, written))) > batch.inline:
            _cut_events(db, written, batch.inline)
        keys = chain.from_iterable(rows.event_key_rows(*item) for item in numbered)
        db.executemany(sql.ADD_EVENT_KEY, keys)
    if batch.waits:
        db.executemany(sql.PUT_WAIT, [rows.wait_row(wait, last) for wait in batch.waits])


def _cut_events(db: sqlite3.Connection, written: list[rows.Row], inline: int) -> None:
    for row in written:
        number, data = row[0], rows.event_data(row)
        rest, holes = values.keep(db, event_owner(number), data, inline)
        if holes is not None:
            db.execute(sql.CUT_EVENT, (rest, holes, number))


def _write_records(db: sqlite3.Connection, records: list[Record], inline: int) -> None:
    """One look at the largest: what is small pays for nothing else."""
    if max(map(len, map(rows.record_data, records))) > inline:
        large = [record for record in records if len(record.data) > inline]
        records = [record for record in records if len(record.data) <= inline]
        db.executemany(sql.ADD_CUT_RECORD, [_cut_record(db, record, inline) for record in large])
    db.executemany(sql.ADD_RECORD, map(rows.record_row, records))


def _cut_record(db: sqlite3.Connection, record: Record, inline: int) -> rows.Row:
    kept = values.keep(db, run_owner(record.run_id), record.data, inline, RECORD)
    return record.run_id, record.seq, record.at, record.version, *kept


def _write_letters(db: sqlite3.Connection, batch: Batch) -> None:
    for letter in batch.dead_letters:
        owner, event = letter_owner(letter.id), rows.letter_event(letter)
        kept = values.keep(db, owner, event, batch.inline, EVENT)
        db.execute(sql.ADD_DEAD_LETTER, rows.letter_row(letter, *kept))


def _write_replies(db: sqlite3.Connection, batch: Batch) -> None:
    for reply in batch.replies:
        drop_reply(db, reply.scope, reply.key, reply.at)
        owner = reply_owner(reply.scope, reply.key)
        kept = values.keep(db, owner, reply.answer, batch.inline)
        db.execute(sql.ADD_REPLY, rows.reply_row(reply, *kept))


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
        _drop_sent(db, batch.sent)
    if batch.outgoing:
        numbered = enumerate(batch.outgoing, last + 1)
        db.executemany(sql.ADD_OUTGOING, [_outgoing_row(db, *one, batch) for one in numbered])
        db.execute(sql.COUNT_OUTGOING, (last + len(batch.outgoing),))


def _outgoing_row(db: sqlite3.Connection, number: int, one: Outgoing, batch: Batch) -> rows.Row:
    event = rows.encoded(one.event)
    if len(event) <= batch.inline:
        return number, one.run_id, one.bus, event, None
    kept = values.keep(db, out_owner(number), event, batch.inline, EVENT)
    return number, one.run_id, one.bus, *kept


def _drop_sent(db: sqlite3.Connection, sent: list[int]) -> None:
    cut = {number for (number,) in db.execute(sql.CUT_OUTGOING, (max(sent),))}
    if cut:
        values.disown(db, [out_owner(number) for number in sent if number in cut])
    db.executemany(sql.DROP_SENT, [(number,) for number in sent])


def _write_versions(db: sqlite3.Connection, batch: Batch) -> None:
    db.executemany(sql.RETIRE, batch.retired)
    for version in batch.versions:
        if db.execute(sql.PUT_VERSION, rows.version_row(version)).rowcount != 1:
            raise Overtaken(
                f"version {version.version} of {version.workflow!r} is another document already"
            )


def _write_redriven(db: sqlite3.Connection, batch: Batch) -> None:
    for letter in batch.redriven:
        if db.execute(sql.REDRIVE, rows.redriven_row(letter)).rowcount != 1:
            raise Overtaken(f"dead letter {letter.id!r} is gone, or was redriven already")


def _write_operations(db: sqlite3.Connection, batch: Batch) -> None:
    db.executemany(sql.PUT_OPERATION, map(rows.operation_row, batch.operations))
    db.executemany(sql.ADD_MATCHED, batch.matched)
    for one in batch.settled:
        if db.execute(sql.SETTLE_RUN, rows.settled_row(one)).rowcount != 1:
            raise Refused(f"run {one.run_id!r} is not left in operation {one.operation!r}")
