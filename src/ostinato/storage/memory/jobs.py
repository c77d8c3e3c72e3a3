"""Jobs that are offered to workers elsewhere: by id, and by topic those that nobody has."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict

from msgspec import structs

from ostinato.ports import Claim, JobChange, JobCount, JobEnd, JobFree, JobQuery, JobRow, JobStop
from ostinato.ports.jobs import in_turns, leased_until
from ostinato.ports.queries import Page
from ostinato.storage.memory.values import Values

Stand = tuple[int, int, int, str]  # priority, age, order of coming, id


class Jobs:
    def __init__(self, values: Values) -> None:
        self.rows: dict[str, JobRow] = {}
        self._values = values
        self._numbers: dict[str, int] = {}
        self._last = 0
        self._free: dict[str, list[Stand]] = defaultdict(list)

    def change(self, change: JobChange, inline: int) -> None:
        kept = self.rows.get(change.id)
        if isinstance(change, JobRow):
            self._drop(change.id)
            self._last += 1
            self._numbers[change.id] = self._last
            self._put(self._values.cut_job(change, inline))
        elif kept is None:
            return
        elif isinstance(change, JobEnd) or (isinstance(change, JobStop) and kept.token is None):
            self._drop(change.id)
        elif isinstance(change, JobFree):
            self._put(structs.replace(
                kept, deaths=change.deaths, token=None, worker=None, claimed_at=None,
                lease_until=None,
            ))  # fmt: skip
        elif not change.gently:
            self._put(structs.replace(kept, cancelled=True))

    def remove_run(self, run_id: str) -> None:
        for row in [row for row in self.rows.values() if row.run_id == run_id]:
            self._drop(row.id)

    def _put(self, row: JobRow) -> None:
        before = self.rows.get(row.id)
        if before is not None and before.token is None:
            self._take_out(before)
        self.rows[row.id] = row
        if row.token is None:
            insort(self._free[row.topic], self._stand(row))

    def _drop(self, job_id: str) -> None:
        row = self.rows.pop(job_id, None)
        if row is not None:
            if row.token is None:
                self._take_out(row)
            del self._numbers[job_id]

    def _take_out(self, row: JobRow) -> None:
        free = self._free[row.topic]
        del free[bisect_left(free, self._stand(row))]

    def _stand(self, row: JobRow) -> Stand:
        return -row.priority, row.ready_at, self._numbers[row.id], row.id

    def claim(self, claim: Claim) -> list[JobRow]:
        found = {
            topic: [stand[-1] for stand in self._free[topic][: min(most, claim.most)]]
            for topic, most in claim.topics.items()
        }
        claimed = [_claimed(self.rows[one], claim) for one in in_turns(found, claim.most)]
        for row in claimed:
            self._put(row)
        return [self._values.job(row) for row in claimed]

    def extend(self, job_id: str, token: str, lease: int, now: int) -> JobRow | None:
        row = self.rows.get(job_id)
        if row is None or row.token != token or row.claimed_at is None:
            return None
        until = leased_until(now, lease, row.claimed_at, row.timeout)
        self._put(structs.replace(row, lease_until=until))
        return self.one(job_id)

    def one(self, job_id: str) -> JobRow | None:
        row = self.rows.get(job_id)
        return None if row is None else self._values.job(row)

    def leases(self) -> list[JobRow]:
        """Those that are over first come first."""
        held = [row for row in self.rows.values() if row.lease_until is not None]
        return sorted(held, key=lambda row: (row.lease_until, row.id))

    def due(self, now: int, limit: int) -> list[JobRow]:
        over = [row for row in self.leases() if (row.lease_until or 0) <= now]
        return [self._values.job(row) for row in over[:limit]]

    def page(self, query: JobQuery, page: Page) -> list[JobRow]:
        last = None if page.cursor is None else self.rows.get(page.cursor)
        if page.cursor is not None and last is None:
            return []
        found = [
            row
            for row in self.rows.values()
            if _asked(row, query) and (last is None or _place(row) < _place(last))
        ]
        found.sort(key=_place, reverse=True)
        return [self._values.job(row) for row in found[: page.limit]]

    def counts(self) -> list[JobCount]:
        found: dict[tuple[str, str | None], list[int]] = {}
        for row in self.rows.values():
            found.setdefault((row.topic, row.worker), []).append(row.ready_at)
        counts = [JobCount(*who, len(ready), min(ready)) for who, ready in found.items()]
        return sorted(counts, key=lambda one: (one.topic, one.worker or ""))


def _claimed(row: JobRow, claim: Claim) -> JobRow:
    return structs.replace(
        row,
        token=claim.token,
        worker=claim.worker,
        claimed_at=claim.now,
        lease_until=leased_until(claim.now, claim.lease, claim.now, row.timeout),
    )


def _place(row: JobRow) -> tuple[int, str]:
    return row.ready_at, row.id


def _asked(row: JobRow, query: JobQuery) -> bool:
    return (
        (query.topic is None or row.topic == query.topic)
        and (query.worker is None or row.worker == query.worker)
        and (query.run_id is None or row.run_id == query.run_id)
        and (query.claimed is None or (row.token is not None) == query.claimed)
    )
