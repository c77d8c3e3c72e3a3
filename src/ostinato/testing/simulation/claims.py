"""Jobs elsewhere, as their rows tell, and the rules about them.

Who holds a job is known from the claims that the store has kept and the batches that end them: only
its holder can end it, nobody takes what is over, and nothing is left over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ostinato.core import facts as f
from ostinato.core.codec import decode_facts
from ostinato.core.tasks import job_id
from ostinato.ports import Batch, JobChange, JobEnd, JobFree, JobRow, JobStop, Storage
from ostinato.testing.history_checker import STEP_ENDS, Violation

SAID = b'"far:'
"""How what workers return begins."""


class Claims:
    """``holders``: by whose token each job is held; None: nobody's."""

    def __init__(self) -> None:
        self.holders: dict[str, str | None] = {}
        self._rows: dict[str, JobRow] = {}
        self._cancelled: set[str] = set()
        self._over: set[tuple[str, str]] = set()

    def is_cancelled(self, job: str, token: str) -> bool:
        """Its holder should hear of it."""
        return job in self._cancelled and self.holders.get(job) == token

    def claimed(self, rows: Iterable[JobRow]) -> Iterator[Violation]:
        for row in rows:
            if self.holders.get(row.id, "") is not None:
                text = f"{row.key} is claimed, and {self.holders.get(row.id)} has it, or nobody can"
                yield Violation(row.run_id, -1, "job.two_hands", text)
            if (row.run_id, row.key) in self._over:
                yield Violation(row.run_id, -1, "job.after_end", f"{row.key} is offered still")
            self.holders[row.id] = row.token

    def kept(self, batch: Batch) -> Iterator[Violation]:
        for record in batch.records:
            for fact in decode_facts(record.data, record.version):
                yield from self._note(record.run_id, fact, batch)
        for change in batch.jobs:
            yield from self._change(change)

    def _note(self, run_id: str, fact: Any, batch: Batch) -> Iterator[Violation]:
        if isinstance(fact, f.JobSucceeded) and bytes(fact.output).startswith(SAID):
            name = job_id(run_id, fact.key, fact.attempt)
            told = bytes(fact.output)[len(SAID) : -1].decode()
            if self.holders.get(name) != told and name in self.holders:
                text = f"{fact.key}: {told} counts, {self.holders[name]} has it"
                yield Violation(run_id, -1, "job.stale", text)
        if isinstance(fact, f.JobAbandoned):
            name = job_id(run_id, fact.key, fact.attempt)
            if name in self.holders and all(change.id != name for change in batch.jobs):
                text = f"{fact.key} is abandoned, and its row says nothing of it"
                yield Violation(run_id, -1, "job.taken_away", text)
        if isinstance(fact, (*STEP_ENDS, f.JobCancelling)):
            self._over.add((run_id, fact.key))
            if isinstance(fact, f.JobCancelling):
                self._cancelled.update(self._held(run_id, fact.key))
        elif isinstance(fact, f.JobReady):  # a person has opened it again
            self._over.discard((run_id, fact.key))

    def _held(self, run_id: str, key: str) -> list[str]:
        return [
            name
            for name, row in self._rows.items()
            if (row.run_id, row.key) == (run_id, key) and self.holders[name]
        ]

    def _change(self, change: JobChange) -> Iterator[Violation]:
        name, holder = change.id, self.holders.get(change.id)
        if isinstance(change, JobRow):
            self._rows[name], self.holders[name] = change, change.token
            return
        if isinstance(change, JobStop):
            if holder is None:
                self._drop(name)
            return
        if change.token is not None and change.token != holder:
            text = f"{name} is ended by {change.token}, {holder} has it"
            yield Violation("", -1, "job.stale", text)
        if isinstance(change, JobFree):
            self.holders[name] = None
        elif isinstance(change, JobEnd):
            self._drop(name)

    def _drop(self, name: str) -> None:
        self._rows.pop(name, None)
        self._cancelled.discard(name)
        if name in self.holders:
            self.holders[name] = ""  # nobody can have it any more

    async def left(self, store: Storage) -> list[Violation]:
        """All runs are over, or wait for a person: nothing is offered any more."""
        return [
            Violation("", -1, "job.left", f"{count.count} jobs of {count.topic} are offered still")
            for count in await store.job_counts()
            if count.worker is None
        ]
