"""The SQL about jobs that are offered to workers elsewhere."""

from __future__ import annotations

from ostinato.storage.postgres.statements import all_of, unnested

JOB = (
    "id, run_id, key, attempt, topic, workflow, priority, ready_at, brief, holes, timeout, deaths, "
    "token, worker, claimed_at, lease_until, cancelled"
)
KINDS = "tttittiibtiittiif"
_OTHERS = JOB.removeprefix("id, ")
PUT = f"""
INSERT INTO job ({JOB}) SELECT * FROM {unnested(KINDS, "new")}
ON CONFLICT (id) DO UPDATE SET (number, {_OTHERS}) = ROW (
    excluded.number, {", ".join(f"excluded.{name}" for name in _OTHERS.split(", "))}
)
"""
DROP = "DELETE FROM job WHERE id = ANY ($1::text[])"
DROP_FREE = "DELETE FROM job WHERE id = ANY ($1::text[]) AND token IS NULL"
CANCEL = "UPDATE job SET cancelled = true WHERE id = ANY ($1::text[])"
END = all_of(
    f"""DELETE FROM job USING {unnested("tt", "old")} (id, token)
    WHERE job.id = old.id AND job.token = old.token""",
    "$3::int8",
)
FREE = all_of(
    f"""UPDATE job SET deaths = back.deaths, token = NULL, worker = NULL, claimed_at = NULL,
    lease_until = NULL FROM {unnested("tti", "back")} (id, token, deaths)
    WHERE job.id = back.id AND job.token = back.token""",
    "$4::int8",
)

# What is wanted: so many of each topic, then in turns. Where rows that another is about to take can
# be passed over, both get some at once; else one waits, and finds them gone: it looks again.
# "num_nulls" leads no planner to read all that are free.

_CLAIM = f"""
WITH found AS (
    SELECT ready.id, ready.turn, asked.place
    FROM unnest($1::text[], $2::int8[]) WITH ORDINALITY AS asked (topic, most, place)
    CROSS JOIN LATERAL (
        SELECT id, row_number() OVER () AS turn FROM (
            SELECT id FROM job WHERE job.topic = asked.topic AND token IS NULL
            ORDER BY priority DESC, ready_at, number LIMIT asked.most {{passing}}
        ) AS first
    ) AS ready
), wanted AS (SELECT id, turn, place FROM found ORDER BY turn, place LIMIT $3::int8),
claimed AS (
    UPDATE job SET token = $4::text, worker = $5::text, claimed_at = $6::int8,
        lease_until = least($6::int8 + $7::int8, $6::int8 + timeout)
    FROM wanted WHERE job.id = wanted.id AND num_nulls(token) = 1 RETURNING job.*, turn, place
)
SELECT (SELECT count(*) FROM wanted), {JOB}
FROM (SELECT 1) AS always LEFT JOIN claimed ON true ORDER BY turn, place
"""
CLAIM_PASSING = _CLAIM.format(passing="FOR UPDATE SKIP LOCKED")
CLAIM_RECHECKING = _CLAIM.format(passing="")
EXTEND = f"""
UPDATE job SET lease_until = least($1::int8, claimed_at + timeout)
WHERE id = $2::text AND token = $3::text RETURNING {JOB}
"""
ONE = f"SELECT {JOB} FROM job WHERE id = $1::text"
DUE = f"""
SELECT {JOB} FROM job WHERE lease_until <= $1::int8 ORDER BY lease_until, id LIMIT $2::int8
"""
NEXT_LEASE = "SELECT min(lease_until) FROM job WHERE lease_until IS NOT NULL"
SOME = f"SELECT {JOB} FROM job"
COUNTS = """
SELECT topic, worker, count(*), min(ready_at) FROM job GROUP BY topic, worker
ORDER BY topic, coalesce(worker, '')
"""
