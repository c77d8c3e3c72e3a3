"""Jobs that are offered to workers elsewhere: part of a batch, claims of their own, and lists."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import starmap
from pathlib import Path
from typing import Any

from ostinato.errors import Refused
from ostinato.ports import (
    Batch,
    Claim,
    JobCount,
    JobEnd,
    JobFree,
    JobQuery,
    JobRow,
    Page,
)
from ostinato.ports.jobs import FOR_EVER, in_turns
from ostinato.storage import rows
from ostinato.storage.sqlite import statements_jobs as sql
from ostinato.storage.sqlite import values
from ostinato.storage.sqlite.transaction import alone
from ostinato.storage.values import run_owner


def write(db: sqlite3.Connection, batch: Batch) -> None:
    """In their order: one may be offered, and end, in one batch."""
    for change in batch.jobs:
        if isinstance(change, JobRow):
            owner = run_owner(change.run_id)
            kept = values.keep(db, owner, change.brief, batch.inline)
            db.execute(sql.PUT, rows.job_row(change, kept))
        elif isinstance(change, JobEnd) and change.token is None:
            db.execute(sql.DROP, (change.id,))
        elif isinstance(change, JobEnd):
            _held(db.execute(sql.END, (change.id, change.token)), change)
        elif isinstance(change, JobFree):
            _held(db.execute(sql.FREE, (change.deaths, change.id, change.token)), change)
        else:
            db.execute(sql.DROP_FREE, (change.id,))
            if not change.gently:
                db.execute(sql.CANCEL, (change.id,))


def _held(done: sqlite3.Cursor, change: JobEnd | JobFree) -> None:
    if done.rowcount != 1:
        raise Refused(f"job {change.id!r} is not held by {change.token!r}")


def claim(file: Path, db: sqlite3.Connection, claim: Claim) -> list[JobRow]:
    """Read when it is kept: the caller has the connection for itself."""
    claimed = alone(file, db, lambda: _claim(db, claim))
    return [row for row in (job(db, job_id) for job_id in claimed) if row is not None]


def _claim(db: sqlite3.Connection, claim: Claim) -> list[str]:
    found = {
        topic: [job_id for (job_id,) in db.execute(sql.FIRST, (topic, min(most, claim.most)))]
        for topic, most in claim.topics.items()
    }
    wanted = in_turns(found, claim.most)
    told = (claim.token, claim.worker, claim.now, claim.now + claim.lease, claim.now, FOR_EVER)
    db.executemany(sql.CLAIM, [(*told, job_id) for job_id in wanted])
    return wanted


def extend(
    file: Path, db: sqlite3.Connection, job_id: str, token: str, lease: int, now: int
) -> JobRow | None:
    asked = (now + lease, FOR_EVER, job_id, token)
    held = alone(file, db, lambda: db.execute(sql.EXTEND, asked).rowcount)
    return job(db, job_id) if held else None


def job(db: sqlite3.Connection, job_id: str) -> JobRow | None:
    found = values.whole(db, sql.ONE, (job_id,), rows.JOB_BRIEF)
    return rows.job(found[0]) if found else None


def due_leases(db: sqlite3.Connection, now: int, limit: int) -> list[JobRow]:
    return list(map(rows.job, values.whole(db, sql.DUE, (now, limit), rows.JOB_BRIEF)))


def next_lease(db: sqlite3.Connection) -> int | None:
    (until,) = db.execute(sql.NEXT_LEASE).fetchone()
    return None if until is None else int(until)


def jobs(db: sqlite3.Connection, query: JobQuery, page: Page) -> list[JobRow]:
    asked = [*_conditions(query)]
    if page.cursor is not None:
        asked.append(("(ready_at, id) < (SELECT ready_at, id FROM job WHERE id = ?)", page.cursor))
    where = " AND ".join(text for text, _ in asked) or "1"
    given = [value for _, value in asked if value is not None]
    select = sql.SOME.format(where=where)
    return list(map(rows.job, values.whole(db, select, (*given, page.limit), rows.JOB_BRIEF)))


def _conditions(query: JobQuery) -> Iterator[tuple[str, Any]]:
    for name in ("topic", "worker", "run_id"):
        if (value := getattr(query, name)) is not None:
            yield f"{name} = ?", value
    if query.claimed is not None:
        yield f"token IS {'NOT ' if query.claimed else ''}NULL", None


def counts(db: sqlite3.Connection) -> list[JobCount]:
    return list(starmap(JobCount, db.execute(sql.COUNTS)))
