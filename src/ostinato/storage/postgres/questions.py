"""The SQL of what the engine reads, by index. Where partitions are asked for, each is looked at."""

from __future__ import annotations

from ostinato.core.state import OPEN_STATUSES
from ostinato.storage.postgres.statements import EVENT, HEAD, LETTER, SCHEDULE, STORED, TASK

HISTORY = """
SELECT run_id, seq, at, version, data, holes FROM history
WHERE run_id = $1::text
AND NOT EXISTS (SELECT 1 FROM removed WHERE removed.run_id = $1::text)
AND seq >= coalesce(
    (SELECT seq FROM history WHERE run_id = $1::text AND seq <= $2::int8 + 1
     ORDER BY seq DESC LIMIT 1), 0)
ORDER BY seq LIMIT $3::int8
"""
ONE_HEAD = f"SELECT {HEAD} FROM run WHERE run_id = $1::text"
BUSY_RUNS = """
SELECT run_id FROM run WHERE busy AND partition = ANY ($1::int2[]) ORDER BY run_id
"""
OPEN_RUNS = """
SELECT asked.name, asked.uid, its.run_id FROM unnest($1::text[], $2::text[]) AS asked (name, uid)
CROSS JOIN LATERAL (
    SELECT run_id FROM run WHERE run.workflow = asked.name AND run.uid = asked.uid
    AND ended_at IS NULL AND run.uid IS NOT NULL AND waiting_for IS DISTINCT FROM 'uid' LIMIT 1
) AS its
"""
_DUE = """
SELECT due.* FROM unnest($1::int2[]) AS mine (partition) CROSS JOIN LATERAL (
    SELECT run_id, key, kind, due_at FROM timer
    WHERE timer.partition = mine.partition AND due_at <= $2::int8 {more}
    ORDER BY due_at LIMIT $3::int8
) AS due ORDER BY due_at, run_id, key, kind LIMIT $3::int8
"""
DUE_TIMERS = _DUE.format(more="")
DUE_TIMERS_OF = _DUE.format(
    more="AND (SELECT workflow FROM run WHERE run.run_id = timer.run_id) = $4::text"
)
NEXT_TIMER = """
SELECT min(next.due_at) FROM unnest($1::int2[]) AS mine (partition) CROSS JOIN LATERAL (
    SELECT due_at FROM timer WHERE timer.partition = mine.partition ORDER BY due_at LIMIT 1
) AS next
"""
SCHEDULES = f"SELECT {SCHEDULE} FROM schedule ORDER BY id"
SOME_SCHEDULES = f"SELECT {SCHEDULE} FROM schedule WHERE id = ANY ($1::text[]) ORDER BY id"
DUE_SCHEDULES = f"""
SELECT {SCHEDULE} FROM schedule WHERE due_at <= $1::int8 ORDER BY due_at, id LIMIT $2::int8
"""
NEXT_SCHEDULE = "SELECT min(due_at) FROM schedule WHERE due_at IS NOT NULL"
# What came after a wait: brought by its own transaction, or by one that it could not see.
_AFTER = """(
    its.era > wait.era OR its.era = wait.era AND (
        its.by = wait.by OR NOT pg_visible_in_snapshot(its.by, wait.opened)
    )
)"""
FIND_WAITS = f"""
WITH its AS MATERIALIZED (
    SELECT era, by FROM event WHERE id = $4::text AND source = $3::text
)
SELECT wait.run_id, wait.key, wait.type, wait.values_key, wait.since
FROM wait LEFT JOIN its ON true
WHERE wait.type = $1::text AND wait.values_key = ANY ($2::text[]) AND coalesce({_AFTER}, true)
ORDER BY wait.run_id, wait.key
"""


def _of_run(run_id: str) -> str:
    """Whether a key of an event did not come before this run: before the event that started it,
    or else the run itself. Another event that has its name by now came later than the run.
    """
    return f"""coalesce((event_key.era, event_key.by) >= (
        SELECT began.era, began.by FROM (
            SELECT run.era, run.by FROM run WHERE run.run_id = {run_id}
            UNION ALL
            SELECT trigger.era, trigger.by FROM run CROSS JOIN LATERAL (
                SELECT its.era, its.by FROM event AS its
                WHERE its.id = run.event_id AND its.source = run.event_source LIMIT 1
            ) AS trigger WHERE run.run_id = {run_id}
        ) AS began ORDER BY began.era, began.by LIMIT 1
    ), true)"""


EARLY_EVENTS = f"""
SELECT {EVENT} FROM event_key CROSS JOIN LATERAL (
    SELECT * FROM event AS its WHERE its.number = event_key.number LIMIT 1
) AS event WHERE event_key.type = $1::text AND event_key.values_key = $2::text
    AND event_key.received_at >= $3::int8 AND {_of_run("$4::text")}
ORDER BY event_key.received_at, event_key.number
"""
MISSED = f"""
SELECT wait.run_id, wait.key, wait.type, wait.values_key, wait.since, {EVENT}
FROM wait JOIN event_key
    ON event_key.type = wait.type AND event_key.values_key = wait.values_key
    AND (
        {_AFTER.replace("its.", "event_key.")}
        OR event_key.received_at >= wait.since AND {_of_run("wait.run_id")}
    )
CROSS JOIN LATERAL (
    SELECT * FROM event AS its WHERE its.number = event_key.number LIMIT 1
) AS event WHERE wait.partition = ANY ($1::int2[])
ORDER BY event.number, wait.run_id, wait.key
"""
KNOWN_EVENTS = f"""
SELECT {STORED} FROM unnest($1::text[], $2::text[]) AS asked (source, id)
CROSS JOIN LATERAL (
    SELECT * FROM event AS its WHERE its.id = asked.id AND its.source = asked.source LIMIT 1
) AS event
"""
TURNS = "SELECT run_id, key, priority, wants FROM turn ORDER BY number"
PLACES = "SELECT name, n, run_id, key FROM place ORDER BY name, n"
BUCKETS = "SELECT name, full_at FROM bucket"
MAIL = """
SELECT kind, told, caller, key, attempt, body, partition FROM mail
WHERE partition = ANY ($1::int2[]) ORDER BY number
"""
ONE_REPLY = """
SELECT scope, key, digest, answer, holes, at, expires_at FROM reply
WHERE scope = $1::text AND key = $2::text AND expires_at > $3::int8
"""
OUTBOX = """
SELECT number, run_id, event, holes, bus FROM (
    SELECT few.*, sum(octet_length(event)) OVER (ORDER BY number) - octet_length(event) AS before
    FROM (
        SELECT its.* FROM unnest($1::int2[]) AS mine (partition) CROSS JOIN LATERAL (
            SELECT number, run_id, event, holes, bus FROM outbox
            WHERE outbox.partition = mine.partition AND outbox.bus = $4::text
            AND outbox.number <> ALL ($5::int8[])
            ORDER BY number LIMIT $2::int8
        ) AS its ORDER BY number LIMIT $2::int8
    ) AS few
) AS sized WHERE before < $3::int8 OR before = 0 ORDER BY number
"""
BACKLOG = "SELECT bus, count(*) FROM outbox GROUP BY bus"
VALUES = "SELECT digest, data FROM value WHERE digest = ANY ($1::bytea[])"
DEPLOYED = "SELECT number FROM deployed"
VERSIONS = """
SELECT workflow, version, digest, document, created_at, workflow_id, retired
FROM version ORDER BY workflow, version
"""
EVENTS_BY_ID = f"SELECT {STORED} FROM event WHERE id = $1::text ORDER BY source"
ONE_LETTER = f"SELECT {LETTER} FROM dead_letter WHERE id = $1::text"
ONE_TASK = f"SELECT {TASK} FROM task WHERE id = $1::text"

# what the janitor reads

OVER_RUNS = """
SELECT over.run_id FROM unnest($1::int2[]) AS mine (partition) CROSS JOIN LATERAL (
    SELECT run_id, ended_at FROM run WHERE run.partition = mine.partition
    AND workflow = $2::text AND status = $3::text AND ended_at < $4::int8
    ORDER BY ended_at LIMIT $5::int8
) AS over ORDER BY over.ended_at LIMIT $5::int8
"""
OLDEST_OPEN = f"""
SELECT workflow, min(started_at) FROM run
WHERE status IN ({", ".join(f"'{status}'" for status in OPEN_STATUSES)}) GROUP BY workflow
"""
AGED_EVENTS = """
SELECT number, source, id, type, received_at, values_keys IS NOT NULL FROM event
WHERE number > $1::int8 AND number < (SELECT max(number) FROM event)
ORDER BY number LIMIT $2::int8
"""
AGED_LETTERS = "SELECT id FROM dead_letter WHERE at < $1::int8 ORDER BY at, id LIMIT $2::int8"
EXPIRED_REPLIES = """
SELECT scope, key FROM reply WHERE expires_at <= $1::int8 ORDER BY expires_at LIMIT $2::int8
"""

# repairs of many runs

ONE_OPERATION = "SELECT id, status, data FROM operation WHERE id = $1::text"
OPERATIONS = """
SELECT id, status, data FROM operation WHERE status <> 'preview' AND id < $1::text
ORDER BY id DESC LIMIT $2::int8
"""
RUNNING_OPERATIONS = """
SELECT id, status, data FROM operation WHERE status = 'running' ORDER BY id
"""
OPERATION_RUNS = """
SELECT run_id FROM operation_run WHERE operation = $1::text AND outcome = '' AND run_id > $2::text
ORDER BY run_id LIMIT $3::int8
"""
OPERATION_RUN = """
SELECT outcome FROM operation_run WHERE operation = $1::text AND run_id = $2::text
"""
OPERATION_TALLY = """
SELECT outcome, reason, count(*), min(run_id) FROM operation_run WHERE operation = $1::text
GROUP BY outcome, reason ORDER BY count(*) DESC, outcome, reason
"""
AGED_OPERATIONS = """
SELECT id FROM operation WHERE status = 'preview' AND expires_at <= $1::int8
    OR status IN ('stopped', 'ended') AND ended_at < $2::int8
ORDER BY id LIMIT $3::int8
"""
UNSWEPT = "SELECT EXISTS (SELECT 1 FROM removed) OR EXISTS (SELECT 1 FROM value_loose)"
