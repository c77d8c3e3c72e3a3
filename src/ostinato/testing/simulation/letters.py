"""Dead letters as they are seen from outside, and the rules about them.

What could not be processed has a letter; a letter is there until it is old, and is redriven once:
with the run that it started, or the event that goes out, in the commit that says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ostinato.core.letters import INCOMING, OUTGOING, PREFIX
from ostinato.ports import Batch, DeadLetter, Head, Storage
from ostinato.testing.history_checker import Journal, Violation
from ostinato.testing.simulation.attic import Attic


class Letters:
    """``promised`` are the ids that clients were told."""

    def __init__(self, attic: Attic, journal: Journal) -> None:
        self.promised: set[str] = set()
        self._attic = attic
        self._journal = journal
        self._written: dict[str, DeadLetter] = {}
        self._redriven: dict[str, str | None] = {}

    def kept(self, batch: Batch) -> Iterator[Violation]:
        self._written.update((letter.id, letter) for letter in batch.dead_letters)
        for letter_id in batch.removal.dead_letters if batch.removal is not None else ():
            self._redriven.pop(letter_id, None)  # its message may come again, and be one anew
        for letter in batch.redriven:
            if letter.redriven_at is not None:
                yield from self._look_at_redrive(letter, batch)

    def _look_at_redrive(self, letter: DeadLetter, batch: Batch) -> Iterator[Violation]:
        if letter.id in self._redriven:
            yield _violation("letter.twice", f"{letter.id} was redriven before")
        self._redriven[letter.id] = letter.redriven_run
        if letter.kind in (OUTGOING, INCOMING):  # what came in goes the way of what runs emit
            there = letter.event_id in {one.event.id for one in batch.outgoing}
        else:
            there = letter.redriven_run is not None
            self._journal.redriven.add(letter.redriven_run or "")
            self._journal.starts.add(letter.redriven_run or "")
        if not there:
            yield _violation("letter.marked", f"{letter.id} is redriven, and nothing came of it")

    async def left(self, storage: Storage, heads: Iterable[Head]) -> list[Violation]:
        """What a store at rest should have, and has not."""
        found = []
        for letter_id in sorted(self._written.keys() | self.promised):
            letter = await storage.dead_letter(letter_id)
            if letter is None and not self._attic.letter_gone(letter_id):
                found.append(_violation("letter.lost", f"{letter_id} is not there"))
            if letter and (letter.redriven_at is not None) != (letter_id in self._redriven):
                found.append(_violation("letter.unmarked", f"{letter_id} does not say so"))
        return [*found, *self._unwritten(heads)]

    def _unwritten(self, heads: Iterable[Head]) -> Iterator[Violation]:
        """A consumer's run that failed for good leaves a letter."""
        written = {letter.run_id for letter in self._written.values()}
        for head in heads:
            consuming = head.workflow.startswith(PREFIX) and head.event_id is not None
            if consuming and head.status == "failed" and head.run_id not in written:
                yield _violation("letter.unwritten", "it failed without a letter", head.run_id)


def _violation(rule: str, message: str, run_id: str = "") -> Violation:
    return Violation(run_id, -1, rule, message)
