"""What is old and goes, as it is seen from outside, and the rules about that.

Nothing goes before its time, nor a run that its archive does not have whole, nor an event that an
open run may look back to. What has not gone is there; what is old enough goes without being asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import msgspec

from ostinato.config.settings import RetentionSettings
from ostinato.core.cloudevents import Event
from ostinato.core.codec import decode_facts
from ostinato.ports import Batch, EventQuery, Head, LetterQuery, Page, Record, Removal, Storage
from ostinato.runtime.janitor import EVERY
from ostinato.testing.history_checker import Journal, Pair, Violation
from ostinato.testing.simulation.clock import WallClock
from ostinato.testing.simulation.documents import awaited

KEPT = RetentionSettings(
    runs=timedelta(seconds=4),
    failed=timedelta(seconds=8),
    events=timedelta(seconds=12),
    duplicates=timedelta(seconds=12),
    dead_letters=timedelta(seconds=12),
    export="simulated",
)
"""In worlds that forget."""

REMEMBERED = timedelta(seconds=12)
"""How long an answer is remembered there."""

HOURLY = EVERY / 1_000 + 90
"""Seconds after which a pass has begun and ended, whoever asks for it or not."""

ROOM = Page(1_000)


class Attic:
    """``heads`` and ``events`` are as they were stored last."""

    def __init__(self, clock: WallClock, heads: dict[str, Head], journal: Journal) -> None:
        self.heads = heads
        self.records: dict[str, list[Record]] = {}
        self.settled_at: int | None = None
        self._clock = clock
        self.journal = journal
        self._events: dict[Pair, tuple[Event, int]] = {}
        self._letters: dict[str, int] = {}
        self._gone: set[str] = set()
        self._replies: dict[tuple[str, str], int] = {}
        self._answers: dict[tuple[str, str], int] = {}
        self._exported: dict[str, int] = {}

    def expired(self, scope: str, key: str) -> bool:
        """Whether an answer to this key may have been forgotten."""
        return self._replies.get((scope, key), self._clock.latest) < self._clock.latest

    def exported(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            told = msgspec.json.decode(line)
            raw = sum(len(record["data"]) for record in told.get("records", ()))
            self._exported[told["run"]["id"]] = len(told["history"]) + raw

    def kept(self, batch: Batch) -> Iterator[Violation]:
        """After the heads of this batch have become ``heads``."""
        for record in batch.records:
            self.records.setdefault(record.run_id, []).append(record)
        for stored in batch.events:
            pair = (stored.event.source, stored.event.id)
            self._events[pair] = (stored.event, stored.received_at)
        self._letters.update((letter.id, letter.at) for letter in batch.dead_letters)
        for reply in batch.replies:
            self._replies.setdefault((reply.scope, reply.key), reply.expires_at)
            self._answers[reply.scope, reply.key] = reply.expires_at
        if batch.removal is not None:
            yield from self._take_away(batch.removal)

    def _take_away(self, removal: Removal) -> Iterator[Violation]:
        for run_id in removal.runs:
            head = self.heads[run_id]
            old = removal.ended_before  # else it stays, and the store is asked for it later
            if head.ended_at is not None and head.ended_at < old:
                yield from self._take_run(head, head.ended_at)
        for pair in removal.events:
            if pair in self._events and pair != next(reversed(self._events)):
                yield from self._take_event(pair, *self._events.pop(pair))
        for letter_id in removal.dead_letters:
            self._gone.add(letter_id)
            yield from self._too_early(f"letter {letter_id}", self._letters[letter_id], "letters")
        for scope, key in removal.replies:
            if removal.at >= self._answers[scope, key] > self._clock.latest:
                yield _violation("retention.early", f"the answer to {key} is still good")

    def _take_run(self, head: Head, ended_at: int) -> Iterator[Violation]:
        run_id = head.run_id
        if run_id not in self.journal.removed:
            kind = "failed" if head.status == "failed" else "runs"
            yield from self._too_early(f"{head.workflow} {run_id}", ended_at, kind)
            facts = sum(len(decode_facts(r.data, r.version)) for r in self.records[run_id])
            if self._exported.get(run_id) != facts:
                text = f"of {facts} facts the archive has {self._exported.get(run_id)}"
                yield _violation("retention.unexported", text, run_id)
        self.journal.removed.add(run_id)

    def _take_event(self, pair: Pair, event: Event, received_at: int) -> Iterator[Violation]:
        self.journal.forgotten.add(pair)
        yield from self._too_early(f"event {pair}", received_at, "events")
        for head in self.heads.values():
            open_then = head.ended_at is None and head.started_at < received_at
            if open_then and event.type in awaited(head.workflow, head.version):
                text = f"{pair} goes, and a run that began before it may look back to it"
                yield _violation("retention.looked_back", text, head.run_id)

    def _too_early(self, what: str, since: int, kind: str) -> Iterator[Violation]:
        kept = {"runs": KEPT.runs, "failed": KEPT.failed}.get(kind, KEPT.events)
        if (age := self._clock.latest - since) <= kept / timedelta(milliseconds=1):
            yield _violation("retention.early", f"{what} goes after {age} ms")

    # a store at rest

    async def left(self, storage: Storage) -> list[Violation]:
        """What is there and should not be, and what should be there and is not."""
        found = [one for run_id in self.heads for one in await self._look_for(storage, run_id)]
        if self.settled_at is not None:
            found += await self._late(storage, self.settled_at)
        return found

    async def _look_for(self, storage: Storage, run_id: str) -> list[Violation]:
        head, gone = await storage.head(run_id), run_id in self.journal.removed
        if gone and (head is not None or await storage.history(run_id)):
            return [_violation("retention.half", "it was removed, and is there", run_id)]
        if not gone and head is None:
            return [_violation("run.lost", "nobody removed it, and it is not there", run_id)]
        return []

    async def _late(self, storage: Storage, settled_at: int) -> list[Violation]:
        """A pass has come by itself since the world came to rest. Who stops may end something."""
        old = [
            f"{head.workflow} {head.run_id}"
            for head in self.heads.values()
            if head.ended_at is not None
            and head.ended_at < settled_at
            and head.run_id not in self.journal.removed
        ]
        if not any(head.ended_at is None for head in self.heads.values()):
            events = await storage.events(EventQuery(), ROOM)
            old += [one.event.id for one in events[1:] if one.received_at < settled_at]
        letters = await storage.dead_letters(LetterQuery(), ROOM)
        old += [letter.id for letter in letters if letter.at < settled_at]
        old += [key for _, key in await storage.expired_replies(settled_at, 100)]
        return [_violation("retention.late", f"{one} is kept for ever") for one in old]

    def letter_gone(self, letter_id: str) -> bool:
        return letter_id in self._gone


def _violation(rule: str, message: str, run_id: str = "") -> Violation:
    return Violation(run_id, -1, rule, message)
