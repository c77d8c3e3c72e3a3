"""Repairs of many runs as they are seen from outside: each run once, and each is dealt with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ostinato.core import facts as f
from ostinato.ports import Batch, Page, Storage
from ostinato.testing.history_checker import Pair, Violation

SAYS_WHY = (f.RunReopened, f.RunRepaired, f.RunCancelling, f.RunPaused, f.RunResumed)


class BulkRepairs:
    """Clients give the id of the operation as the reason. ``busy`` are those that are running."""

    def __init__(self) -> None:
        self._done: Counter[Pair] = Counter()
        self._settled: dict[Pair, str] = {}
        self._names: set[str] = set()
        self.busy: set[str] = set()

    def note(self, run_id: str, fact: Any) -> Iterator[Violation]:
        if not isinstance(fact, SAYS_WHY) or fact.why not in self._names:
            return
        self._done[fact.why, run_id] += 1
        if self._done[fact.why, run_id] == 2:
            yield Violation(run_id, -1, "bulk.twice", f"operation {fact.why} has repaired it again")

    def kept(self, batch: Batch) -> None:
        """Before the facts of the batch."""
        self._names.update(operation.id for operation in batch.operations)
        for operation in batch.operations:
            if operation.status == "running":
                self.busy.add(operation.id)
            else:
                self.busy.discard(operation.id)
        for one in batch.settled:
            self._settled[one.operation, one.run_id] = one.outcome

    async def left(self, storage: Storage) -> list[Violation]:
        found = [
            Violation(run_id, -1, "bulk.unwritten", f"operation {name}: {outcome}, and did nothing")
            for (name, run_id), outcome in self._settled.items()
            if (outcome == "done") != bool(self._done[name, run_id])
        ]
        for operation in await storage.operations(Page(1_000)):
            if operation.status == "running":
                text = f"operation {operation.id} does not end"
                found.append(Violation("", -1, "bulk.hangs", text))
            left = await storage.operation_runs(operation.id, "", 1)
            if operation.status == "ended" and left:
                text = f"operation {operation.id} has ended without it"
                found.append(Violation(left[0], -1, "bulk.left", text))
        return found
