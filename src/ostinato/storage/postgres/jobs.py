"""Jobs that are offered to workers elsewhere: part of a batch, claims of their own, and lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby, starmap
from operator import attrgetter
from typing import Any

from ostinato.errors import OstinatoError, Refused
from ostinato.ports import Claim, JobCount, JobEnd, JobFree, JobQuery, JobRow, JobStop, Page
from ostinato.ports.jobs import JobChange
from ostinato.storage.postgres import statements_jobs as sql
from ostinato.storage.postgres.arrays import columns, number, numbers, sought, text, texts
from ostinato.storage.postgres.conditions import Condition, asked
from ostinato.storage.postgres.link import Link
from ostinato.storage.postgres.values import Keeper, whole
from ostinato.storage.postgres.wire import Ask
from ostinato.storage.values import run_owner

Row = tuple[Any, ...]
Guarded = tuple[Ask, OstinatoError | None]
"""A statement, and what it means when it divides by zero."""

LOOKS = 5
"""How often a claim looks again that found what another had taken."""

_BRIEF = 8
_head = attrgetter(
    "id", "run_id", "key", "attempt", "topic", "workflow", "priority", "ready_at",
)  # fmt: skip
_tail = attrgetter(
    "timeout", "deaths", "token", "worker", "claimed_at", "lease_until", "cancelled",
)  # fmt: skip


def changes(jobs: Sequence[JobChange], kept: Keeper) -> Iterator[Guarded]:
    """In their order: one may be offered, and end, in one batch."""
    for kind, several in groupby(jobs, type):
        yield from _MAKE[kind](list(several), kept)


def _put(jobs: Sequence[JobRow], kept: Keeper) -> Iterator[Guarded]:
    last = {job.id: job for job in jobs}
    rows = [
        (*_head(job), *kept.keep(run_owner(job.run_id), job.brief), *_tail(job))
        for job in last.values()
    ]
    yield Ask(sql.PUT, columns(sql.KINDS, rows)), None


def _end(jobs: Sequence[JobEnd], kept: Keeper) -> Iterator[Guarded]:
    if gone := [job.id for job in jobs if job.token is None]:
        yield Ask(sql.DROP, [texts(gone)]), None
    if ended := [(job.id, job.token) for job in jobs if job.token is not None]:
        yield Ask(sql.END, [*columns("tt", ended), number(len(ended))]), _not_held(ended)


def _free(jobs: Sequence[JobFree], kept: Keeper) -> Iterator[Guarded]:
    back = [(job.id, job.token, job.deaths) for job in jobs]
    yield Ask(sql.FREE, [*columns("tti", back), number(len(back))]), _not_held(back)


def _stop(jobs: Sequence[JobStop], kept: Keeper) -> Iterator[Guarded]:
    yield Ask(sql.DROP_FREE, [texts([job.id for job in jobs])]), None
    if marked := [job.id for job in jobs if not job.gently]:
        yield Ask(sql.CANCEL, [texts(marked)]), None


def _not_held(named: Sequence[Row]) -> Refused:
    told = ", ".join(f"{job_id!r} by {token!r}" for job_id, token, *_ in named[:3])
    return Refused(f"not held (any more): job {told}")


_MAKE: dict[type, Any] = {JobRow: _put, JobEnd: _end, JobFree: _free, JobStop: _stop}


# claims


async def claim(link: Link, asked: Claim, *, passing: bool) -> list[JobRow]:
    """``passing`` over rows that another is about to take; else it looks again for others."""
    found: list[JobRow] = []
    for _ in range(1 if passing else LOOKS):
        wanted, new = await _claimed(link, asked, found, passing)
        found += new
        if len(new) == wanted:
            break
    return found


async def _claimed(
    link: Link, claim: Claim, had: Sequence[JobRow], passing: bool
) -> tuple[int, list[JobRow]]:
    """How many it wanted to take, and those that it has got."""
    of = Counter(job.topic for job in had)
    counts = [min(most, claim.most) - of[topic] for topic, most in claim.topics.items()]
    given = [
        texts(list(claim.topics)), numbers(counts), number(claim.most - len(had)),
        text(claim.token), text(claim.worker), number(claim.now), number(claim.lease),
    ]  # fmt: skip
    statement = sql.CLAIM_PASSING if passing else sql.CLAIM_RECHECKING
    [rows] = await link.once([Ask(statement, given)])
    taken = [row[1:] for row in rows if row[1] is not None]
    if any(row[_BRIEF + 1] is not None for row in taken):
        whole_again = [await job(link, row[0]) for row in taken]
        return int(rows[0][0]), [row for row in whole_again if row is not None]
    return int(rows[0][0]), list(map(_row, taken))


async def extend(link: Link, job_id: str, token: str, lease: int, now: int) -> JobRow | None:
    given = [number(now + lease), sought(job_id), sought(token)]
    [rows] = await link.once([Ask(sql.EXTEND, given)])
    return await job(link, job_id) if rows else None


# reads


async def job(link: Link, job_id: str) -> JobRow | None:
    found = await whole(link, Ask(sql.ONE, [sought(job_id)]), _BRIEF)
    return _row(found[0]) if found else None


async def due_leases(link: Link, now: int, limit: int) -> list[JobRow]:
    return list(map(_row, await whole(link, Ask(sql.DUE, [number(now), number(limit)]), _BRIEF)))


async def next_lease(link: Link) -> int | None:
    [(until,)] = await link.rows(Ask(sql.NEXT_LEASE))
    return None if until is None else int(until)


async def jobs(link: Link, query: JobQuery, page: Page) -> list[JobRow]:
    conditions = list(_conditions(query))
    if page.cursor is not None:
        last = "(SELECT ready_at, id FROM job WHERE id = {}::text)"
        conditions.append((f"(ready_at, id) < {last}", (sought(page.cursor),)))
    order = "ORDER BY ready_at DESC, id DESC"
    return list(
        map(_row, await whole(link, asked(sql.SOME, conditions, order, page.limit), _BRIEF))
    )


def _conditions(query: JobQuery) -> Iterator[Condition]:
    for name in ("topic", "worker", "run_id"):
        if (value := getattr(query, name)) is not None:
            yield f"{name} = {{}}::text", (sought(value),)
    if query.claimed is not None:
        yield f"token IS {'NOT ' if query.claimed else ''}NULL", ()


async def counts(link: Link) -> list[JobCount]:
    return list(starmap(JobCount, await link.rows(Ask(sql.COUNTS))))


def _row(row: Row) -> JobRow:
    return JobRow(*(*row[: _BRIEF + 1], *row[_BRIEF + 2 :]))
