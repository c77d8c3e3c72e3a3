"""One batch, one pipeline: the statements that have rows, and the fence in front of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from ostinato.core.run_ids import partition_of
from ostinato.errors import Fenced, OstinatoError, Outdated, Overtaken, Refused
from ostinato.ports import Batch, Head, Outgoing, TaskRow
from ostinato.ports.jobs import JobChange
from ostinato.storage import rows
from ostinato.storage.postgres import jobs
from ostinato.storage.postgres import statements as sql
from ostinato.storage.postgres.arrays import Argument, columns, number, raw, raws, text, texts
from ostinato.storage.postgres.removing import drop_replies, remove
from ostinato.storage.postgres.values import Keeper, event_owner, reply_owner
from ostinato.storage.postgres.wire import Ask
from ostinato.storage.values import EVENT, RECORD, letter_owner, run_owner

Row = tuple[Any, ...]
Otherwise = Callable[[], OstinatoError]

_NOBODY = msgspec.json.Decoder(dict[str, msgspec.Raw])
_names = msgspec.json.Decoder(list[str]).decode


class Pipeline:
    """The asks of one batch, and what it means when one of them divides by zero."""

    def __init__(self, member: str, era: int, batch: Batch) -> None:
        self.asks: list[Ask] = []
        self.otherwise: dict[int, Otherwise] = {}
        self._era = era
        self._kept = Keeper(batch.inline)
        self._batch = batch
        self._fence(member, batch.epoch)
        self._write_all(batch)

    def size(self) -> int:
        """Bytes of all arguments."""
        return sum(len(one) for ask in self.asks for one in ask.arguments if one is not None)

    def _add(self, sql: str, arguments: Sequence[Argument]) -> None:
        self.asks.append(Ask(sql, arguments))

    def _rows(self, sql: str, kinds: str, given: Iterable[Sequence[Any]]) -> None:
        if found := list(given):
            self._add(sql, columns(kinds, found))

    def _or_else(self, error: Otherwise) -> None:
        """Of the ask that was added last."""
        self.otherwise[len(self.asks) - 1] = error

    def _fence(self, member: str, epoch: int) -> None:
        self._add(sql.FENCE, [text(member), number(epoch)])
        said = f"epoch {epoch} is stale: others have what this process had; join again"
        self._or_else(lambda: Fenced(said))

    def _write_all(self, batch: Batch) -> None:
        if batch.events:
            self._events(batch)
        if batch.waits or batch.closed_waits:
            self._waits(batch)
        if batch.replies:
            self._replies(batch)
        if batch.records:
            self._records(batch)
        if batch.new_heads or batch.heads:
            self._heads(batch)
        if batch.timers:
            self._timers(batch.timers)
        if batch.sent:
            self._add(sql.DROP_SENT, columns("i", [(one,) for one in batch.sent]))
        if batch.outgoing:
            self._outgoing(batch.outgoing)
        if batch.retired or batch.versions:
            self._versions(batch)
        if batch.freed or batch.turns or batch.served or batch.places or batch.buckets:
            self._limits(batch)
        for task in batch.tasks:
            self._task(task)
        if batch.dead_letters:
            self._letters(batch)
        if batch.dropped_schedules or batch.schedules:
            self._schedules(batch)
        for letter in batch.redriven:
            self._redriven(rows.redriven_row(letter), letter.id)
        if batch.operations or batch.matched or batch.settled:
            self._operations(batch)
        if batch.mail:
            self._mail(batch)
        if batch.jobs:
            self._jobs(batch.jobs)
        self.asks += self._kept.asks()
        if batch.removal is not None:
            self.asks += remove(batch.removal)

    def _events(self, batch: Batch) -> None:
        """Events whose keys a wait may look for have them in rows of their own."""
        if batch.known is not None:
            self._add(sql.WHILE_NONE_DEPLOYS, ())
            self._add(sql.KNOWS_ALL, [number(batch.known)])
            said = "workflows were deployed since; read them, and look again"
            self._or_else(lambda: Outdated(said))
        keyed = any(stored.values_keys for stored in batch.events)
        given = columns(sql.EVENT_KINDS, map(self._event_row, batch.events))
        self._add(sql.ADD_KEYED_EVENTS if keyed else sql.ADD_EVENTS, [*given, number(self._era)])

    def _event_row(self, stored: Any) -> Row:
        row = rows.event_row(0, stored)
        data = rows.event_data(row)
        if len(data) <= self._batch.inline:
            return (*row[1:], None)
        rest, holes = self._kept.keep(event_owner(stored.event.source, stored.event.id), data)
        return (*row[1:6], rest, *row[7:], holes)

    def _waits(self, batch: Batch) -> None:
        if batch.waits:
            last = {(wait.run_id, wait.key, wait.type): wait for wait in batch.waits}
            waits = [rows.wait_row(wait, partition_of(wait.run_id)) for wait in last.values()]
            self._add(sql.PUT_WAITS, [*columns("ttttii", waits), number(self._era)])
        self._rows(sql.CLOSE_WAITS, "tt", batch.closed_waits)

    def _replies(self, batch: Batch) -> None:
        named = [(reply.scope, reply.key, reply.at) for reply in batch.replies]
        self.asks += drop_replies(named)
        written = []
        for reply in batch.replies:
            kept = self._kept.keep(reply_owner(reply.scope, reply.key), reply.answer)
            written.append(rows.reply_row(reply, *kept))
        self._rows(sql.ADD_REPLIES, "tttbtii", written)

    def _records(self, batch: Batch) -> None:
        """One look at the largest: what is small pays for nothing else."""
        records = batch.records
        if max(map(len, map(rows.record_data, records))) > batch.inline:
            large = [one for one in records if len(one.data) > batch.inline]
            records = [one for one in records if len(one.data) <= batch.inline]
            cut = [
                (
                    *rows.record_row(one)[:4],
                    *self._kept.keep(run_owner(one.run_id), one.data, RECORD),
                )
                for one in large
            ]
            self._rows(sql.ADD_CUT_RECORDS, "tiiibt", cut)
        self._rows(sql.ADD_RECORDS, "tiiib", map(rows.record_row, records))

    def _heads(self, batch: Batch) -> None:
        """Runs that end come first: their ``uid`` is free for those that open."""
        new = {head.run_id for head in batch.new_heads}
        changed = [head for head in batch.heads.values() if head.run_id not in new]
        self._change_heads([head for head in changed if head.ended_at is not None])
        self._change_heads([head for head in changed if head.ended_at is None])
        moved = [(head, batch.heads.get(head.run_id, head)) for head in batch.new_heads]
        if moved:
            given = columns(sql.HEAD_KINDS, map(_head_row, moved))
            self._add(sql.ADD_HEADS, [*given, number(self._era)])

    def _change_heads(self, heads: list[Head]) -> None:
        if heads:
            self._add(sql.CHANGE_HEADS, columns(sql.CHANGE_KINDS, map(_change_row, heads)))
            self._or_else(lambda: Refused("a run that was never started has no head to change"))

    def _timers(self, timers: dict[tuple[str, str, str], int | None]) -> None:
        set_to = [
            (*timer, due_at, partition_of(timer[0]))
            for timer, due_at in timers.items()
            if due_at is not None
        ]
        self._rows(sql.SET_TIMERS, "tttii", set_to)
        if len(set_to) != len(timers):
            cleared = [timer for timer, due_at in timers.items() if due_at is None]
            self._rows(sql.CLEAR_TIMERS, "ttt", cleared)

    def _outgoing(self, outgoing: list[Outgoing]) -> None:
        """In their order, as the numbers are given in it."""
        small: list[Row] = []
        for one in outgoing:
            event = rows.encoded(one.event)
            place = partition_of(one.run_id)
            if len(event) <= self._batch.inline:
                small.append((one.run_id, event, place, one.bus))
                continue
            self._rows(sql.ADD_OUTGOING, "tbit", small)
            small = []
            rest, holes, digests = self._kept.keep_for_later(event, EVENT)
            to = text(one.run_id), raw(rest), number(place), text(one.bus)
            given = [*to, text(holes), raws(digests)]
            self._add(sql.ADD_CUT_OUTGOING, given)
        self._rows(sql.ADD_OUTGOING, "tbit", small)

    def _versions(self, batch: Batch) -> None:
        self._add(sql.WHILE_NONE_TAKES_EVENTS, ())
        self._add(sql.DEPLOYED, ())
        self._rows(sql.RETIRE, "ti", batch.retired)
        for version in batch.versions:
            name, which, digest, document, *rest = rows.version_row(version)
            self._add(
                sql.PUT_VERSION,
                [
                    text(name),
                    number(which),
                    text(digest),
                    raw(document),
                    number(rest[0]),
                    text(rest[1]),
                ],
            )
            said = f"version {which} of {name!r} is another document already"
            self._or_else(lambda said=said: Overtaken(said))  # type: ignore[misc]

    def _limits(self, batch: Batch) -> None:
        self._rows(sql.FREE_TURNS, "tt", batch.freed)
        self._rows(sql.FREE_PLACES, "tt", batch.freed)
        self._rows(sql.ADD_TURNS, "ttib", map(rows.turn_row, batch.turns.values()))
        self._rows(sql.FREE_TURNS, "tt", batch.served)
        self._rows(sql.ADD_PLACES, "titt", map(rows.place_row, batch.places))
        if batch.buckets:
            filled = [each for each in batch.buckets.items() if each[1] is not None]
            self._rows(sql.PUT_BUCKETS, "ti", filled)
            full = [name for name, full_at in batch.buckets.items() if full_at is None]
            if full:
                self._add(sql.DROP_BUCKETS, [texts(full)])

    def _task(self, task: Any) -> None:
        """In their order: one may be opened, and end, in one batch."""
        owner = run_owner(task.run_id)
        answer: rows.Kept = (None, None)
        if task.answer is not None:
            answer = self._kept.keep(owner, task.answer)
        if isinstance(task, TaskRow):
            row = rows.task_row(task, self._kept.keep(owner, task.asked), answer)
            named = [texts(people(task.asked, name)) for name in ("candidates", "groups")]
            self._add(sql.PUT_TASK, [*_arguments("tttitttiibttittbt", row), *named])
        else:
            self._add(sql.END_TASK, _arguments("tittbtt", rows.task_end_row(task, answer)))

    def _jobs(self, changes: Sequence[JobChange]) -> None:
        for ask, refusal in jobs.changes(changes, self._kept):
            self.asks.append(ask)
            if refusal is not None:
                self._or_else(lambda refusal=refusal: refusal)  # type: ignore[misc]

    def _letters(self, batch: Batch) -> None:
        written = []
        for letter in batch.dead_letters:
            kept = self._kept.keep(letter_owner(letter.id), rows.letter_event(letter), EVENT)
            kind = None if letter.event is None else letter.event.type
            written.append((*rows.letter_row(letter, *kept), kind))
        self._rows(sql.ADD_LETTERS, sql.LETTER_KINDS, written)

    def _redriven(self, row: Row, name: str) -> None:
        self._add(sql.REDRIVE, _arguments("biittt", row))
        said = f"dead letter {name!r} is gone, or was redriven already"
        self._or_else(lambda: Overtaken(said))

    def _schedules(self, batch: Batch) -> None:
        if batch.dropped_schedules:
            self._add(sql.DROP_SCHEDULES, [texts(batch.dropped_schedules)])
        last = {schedule.id: schedule for schedule in batch.schedules}
        self._rows(sql.PUT_SCHEDULES, "tttiiitiitiitt", map(_schedule_row, last.values()))

    def _operations(self, batch: Batch) -> None:
        last = {operation.id: operation for operation in batch.operations}
        self._rows(sql.PUT_OPERATIONS, "ttiib", map(rows.operation_row, last.values()))
        self._rows(sql.ADD_MATCHED, "tt", batch.matched)
        if batch.settled:
            given = columns("tttt", map(_settled_row, batch.settled))
            self._add(sql.SETTLE_RUNS, [*given, number(len(batch.settled))])
            names = ", ".join(f"{one.run_id!r} of {one.operation!r}" for one in batch.settled[:3])
            self._or_else(lambda: Refused(f"not left in its operation: run {names}"))

    def _mail(self, batch: Batch) -> None:
        taken = [line for line, mail in batch.mail.items() if mail is None]
        self._rows(sql.TAKE_MAIL, "ttti", taken)
        said = [mail for mail in batch.mail.values() if mail is not None]
        written = [(*rows.mail_row(mail), mail.place) for mail in said]
        self._rows(sql.ADD_MAIL, "ttttibi", written)


def shown(value: str | None) -> str | None:
    """Text that people read, and nothing looks for: PostgreSQL keeps no NUL."""
    return value.replace("\0", "\ufffd") if value and "\0" in value else value


def _head_row(pair: tuple[Head, Head]) -> Row:
    """A run may start and move on in one batch."""
    first, last = pair
    row = rows.head_row(first) if first is last else rows.moved_head_row(first, last)
    return (*row[:11], shown(row[11]), *row[12:], partition_of(first.run_id))


def _change_row(head: Head) -> Row:
    row = rows.head_change_row(head)
    return (*row[:7], shown(row[7]), row[8])


def _schedule_row(schedule: Any) -> Row:
    *first, why = rows.schedule_row(schedule)
    return (*first, shown(why))


def _settled_row(one: Any) -> Row:
    outcome, reason, operation, run_id = rows.settled_row(one)
    return outcome, shown(reason), operation, run_id


_ENCODERS: dict[str, Callable[[Any], Argument]] = {"t": text, "i": number, "b": raw}


def _arguments(kinds: str, row: Row) -> list[Argument]:
    return [_ENCODERS[kind](value) for kind, value in zip(kinds, row, strict=True)]


def people(asked: bytes, name: str) -> list[str]:
    """Who is named in what is asked; nobody when it cannot be read."""
    try:
        found = _NOBODY.decode(asked).get(name)
        return [] if found is None else [one for one in _names(found) if "\0" not in one]
    except (msgspec.MsgspecError, ValueError):
        return []
