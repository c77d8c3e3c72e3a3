"""Jobs that are offered to workers elsewhere: part of a batch, claims of their own, and lists.

A claim is one statement: the first of each topic are looked for, and taken if nobody has by then.
"""

from __future__ import annotations

from collections.abc import Iterator

from ostinato.ports import Claim, JobChange, JobCount, JobEnd, JobFree, JobQuery, JobRow, Page
from ostinato.ports.jobs import FOR_EVER
from ostinato.storage import rows
from ostinato.storage.postgres.arrays import Argument, number, numbers, raw, sought, soughts, text
from ostinato.storage.postgres.link import Link
from ostinato.storage.postgres.values import Keeper, whole
from ostinato.storage.postgres.wire import Ask
from ostinato.storage.values import run_owner

NAMES = (
    "id", "run_id", "key", "attempt", "topic", "workflow", "priority", "ready_at", "brief", "holes",
    "timeout", "deaths", "token", "worker", "claimed_at", "lease_until", "cancelled",
)  # fmt: skip
JOB = ", ".join(NAMES)
_TYPES = (
    "text", "text", "text", "int8", "text", "text", "int8", "int8", "bytea", "text",
    "int8", "int8", "text", "text", "int8", "int8", "boolean",
)  # fmt: skip
_GIVEN = ", ".join(f"${place}::{kind}" for place, kind in enumerate(_TYPES, 1))
_AGAIN = ", ".join(f"{name} = excluded.{name}" for name in NAMES[1:])

PUT = f"INSERT INTO job ({JOB}) VALUES ({_GIVEN}) ON CONFLICT (id) DO UPDATE SET {_AGAIN}"
DROP = "DELETE FROM job WHERE id = $1::text"
DROP_FREE = "DELETE FROM job WHERE id = $1::text AND token IS NULL"
CANCEL = "UPDATE job SET cancelled = true WHERE id = $1::text"
END = """
WITH done AS (DELETE FROM job WHERE id = $1::text AND token = $2::text RETURNING 1)
SELECT 1 / count(*) FROM done
"""
FREE = """
WITH done AS (
    UPDATE job SET deaths = $3::int8, token = NULL, worker = NULL, claimed_at = NULL,
        lease_until = NULL WHERE id = $1::text AND token = $2::text RETURNING 1
) SELECT 1 / count(*) FROM done
"""
CLAIM = f"""
WITH wanted AS (
    SELECT topic, most, place FROM unnest($1::text[], $2::int8[]) WITH ORDINALITY
    AS asked (topic, most, place)
),
found AS (
    SELECT first.id, first.turn, wanted.place FROM wanted CROSS JOIN LATERAL (
        SELECT id, row_number() OVER (ORDER BY priority DESC, ready_at, number) AS turn FROM (
            SELECT id, priority, ready_at, number FROM job
            WHERE job.topic = wanted.topic AND token IS NULL
            ORDER BY priority DESC, ready_at, number LIMIT least(wanted.most, $3::int8)
        ) AS its
    ) AS first
),
chosen AS (SELECT id, turn, place FROM found ORDER BY turn, place LIMIT $3::int8),
taken AS (
    UPDATE job SET token = $4::text, worker = $5::text, claimed_at = $6::int8,
        lease_until = $6::int8 + least($7::int8, timeout)
    FROM chosen WHERE job.id = chosen.id AND job.token IS NULL
    RETURNING {", ".join(f"job.{name}" for name in NAMES)}, chosen.turn, chosen.place
)
SELECT {JOB} FROM taken ORDER BY turn, place
"""
EXTEND = f"""
UPDATE job SET lease_until = least($1::int8, claimed_at + coalesce(timeout, {FOR_EVER}))
WHERE id = $2::text AND token = $3::text RETURNING {JOB}
"""
ONE = f"SELECT {JOB} FROM job WHERE id = $1::text"
DUE = f"SELECT {JOB} FROM job WHERE lease_until <= $1::int8 ORDER BY lease_until, id LIMIT $2::int8"
NEXT_LEASE = "SELECT min(lease_until) FROM job WHERE lease_until IS NOT NULL"
COUNTS = """
SELECT topic, worker, count(*), min(ready_at) FROM job GROUP BY topic, worker
ORDER BY topic, coalesce(worker, '')
"""


def change(kept: Keeper, one: JobChange) -> Iterator[Ask]:
    """What a batch says of a job. ``END`` and ``FREE`` divide by zero when it is not held so."""
    name = text(one.id)
    if isinstance(one, JobRow):
        row = rows.job_row(one, kept.keep(run_owner(one.run_id), one.brief))
        yield Ask(PUT, list(map(_argument, row, _TYPES)))
    elif isinstance(one, JobEnd):
        yield Ask(DROP, [name]) if one.token is None else Ask(END, [name, text(one.token)])
    elif isinstance(one, JobFree):
        yield Ask(FREE, [name, text(one.token), number(one.deaths)])
    else:
        yield Ask(DROP_FREE, [name])
        if not one.gently:
            yield Ask(CANCEL, [name])


def _argument(value: object, kind: str) -> Argument:
    if isinstance(value, bool):
        return b"\1" if value else b"\0"
    if isinstance(value, int):
        return number(value)
    return raw(value) if isinstance(value, bytes) else text(value)  # type: ignore[arg-type]


def claiming(claim: Claim) -> Ask:
    topics = list(claim.topics)
    given = [soughts(topics), numbers([claim.topics[one] for one in topics]), number(claim.most)]
    who = [text(claim.token), text(claim.worker), number(claim.now), number(claim.lease)]
    return Ask(CLAIM, [*given, *who])


def extending(job_id: str, token: str, lease: int, now: int) -> Ask:
    return Ask(EXTEND, [number(now + lease), sought(job_id), sought(token)])


async def job(link: Link, job_id: str) -> JobRow | None:
    found = await _jobs(link, Ask(ONE, [sought(job_id)]))
    return found[0] if found else None


async def due_leases(link: Link, now: int, limit: int) -> list[JobRow]:
    return await _jobs(link, Ask(DUE, [number(now), number(limit)]))


async def next_lease(link: Link) -> int | None:
    [(until,)] = await link.rows(Ask(NEXT_LEASE))
    return None if until is None else int(until)


async def jobs(link: Link, query: JobQuery, page: Page) -> list[JobRow]:
    given: list[Argument] = []
    asked = []
    for name in ("topic", "worker", "run_id"):
        if (value := getattr(query, name)) is not None:
            given.append(sought(value))
            asked.append(f"{name} = ${len(given)}::text")
    if query.claimed is not None:
        asked.append(f"token IS {'NOT ' if query.claimed else ''}NULL")
    if page.cursor is not None:
        given.append(sought(page.cursor))
        last = f"(SELECT ready_at, id FROM job WHERE id = ${len(given)}::text)"
        asked.append(f"(ready_at, id) < {last}")
    given.append(number(page.limit))
    where = f" WHERE {' AND '.join(asked)}" if asked else ""
    order = f"ORDER BY ready_at DESC, id DESC LIMIT ${len(given)}::int8"
    return await _jobs(link, Ask(f"SELECT {JOB} FROM job{where} {order}", given, kept=False))


async def counts(link: Link) -> list[JobCount]:
    return [JobCount(*row) for row in await link.rows(Ask(COUNTS))]


async def _jobs(link: Link, ask: Ask) -> list[JobRow]:
    return list(map(rows.job, await whole(link, ask, rows.JOB_BRIEF)))
