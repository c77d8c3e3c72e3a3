"""The SQL that is constant, so that each statement is prepared once. Filters are in ``lists``.

Rows come as one array per column. What must touch all its rows divides by zero when it does not:
there is no way back to ask between the statements of one pipeline.
"""

from __future__ import annotations


def unnested(kinds: str, alias: str) -> str:
    """``unnest`` of one array per letter, and names for its columns."""
    types = {"t": "text", "i": "int8", "b": "bytea", "f": "bool"}
    arrays = ", ".join(f"${n}::{types[kind]}[]" for n, kind in enumerate(kinds, 1))
    return f"unnest({arrays}) AS {alias}"


def all_of(change: str, count: str) -> str:
    return f"WITH done AS ({change} RETURNING 1) SELECT 1 / (count(*) = {count})::int FROM done"


def _named(table: str, kinds: str, names: str) -> str:
    """A condition: the rows that arrays name. Each is looked up by itself, and locked.

    A join would be planned for the table as it was, and a small one is rather read whole.
    """
    same = " AND ".join(f"its.{name} = old.{name}" for name in names.split(", "))
    return f"""{table}.ctid = ANY (ARRAY(
        SELECT one.ctid FROM {unnested(kinds, "old")} ({names}) CROSS JOIN LATERAL (
            SELECT its.ctid FROM {table} AS its WHERE {same} FOR UPDATE
        ) AS one
    ))"""


_LOOSEN = """
INSERT INTO value_loose (digest) SELECT DISTINCT digest FROM freed
ON CONFLICT (digest) DO UPDATE SET lot = NULL
"""

# Where a number of a transaction is ahead of the server's, another server gave it: the tables were
# brought here. One at a time, and by what is of the last era, so that all members are in the same.

ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(1330861125)"
# Whoever takes events waits for who deploys, and the other way round: what is stored with an event
# is made of the workflows that are known, and none may be deployed in between.
WHILE_NONE_DEPLOYS = "SELECT pg_advisory_xact_lock_shared(1330861126)"
KNOWS_ALL = "SELECT 1 / count(*) FROM deployed WHERE number = $1::int8"
WHILE_NONE_TAKES_EVENTS = "SELECT pg_advisory_xact_lock(1330861126)"
DEPLOYED = "UPDATE deployed SET number = number + 1"

ERA = """
UPDATE era SET last = pg_snapshot_xmax(pg_current_snapshot()), number = number + CASE WHEN greatest(
    last,
    (SELECT CASE WHEN its.era = era.number THEN its.by END FROM event AS its
        ORDER BY its.number DESC LIMIT 1),
    (SELECT CASE WHEN its.era = era.number THEN its.by END FROM run AS its
        ORDER BY its.run_id DESC LIMIT 1),
    (SELECT its.by FROM wait AS its WHERE its.era = era.number ORDER BY its.by DESC LIMIT 1)
) > pg_snapshot_xmax(pg_current_snapshot()) THEN 1 ELSE 0 END RETURNING number
"""

# one batch

FENCE = """
SELECT 1 / count(*) FROM (
    SELECT 1 FROM member WHERE id = $1::text AND epoch = $2::int8 FOR SHARE
) AS mine
"""

RECORD = "run_id, seq, at, version, data"
ADD_RECORDS = f"INSERT INTO history ({RECORD}) SELECT * FROM {unnested('tiiib', 'new')}"
ADD_CUT_RECORDS = f"INSERT INTO history ({RECORD}, holes) SELECT * FROM {unnested('tiiibt', 'new')}"

HEAD = (
    "run_id, workflow, version, status, started_at, uid, doing, waiting_for, busy, ended_at, "
    "error_name, error_message, event_source, event_id"
)
HEAD_KINDS = "ttititttfitttti"
ADD_HEADS = f"""
INSERT INTO run ({HEAD}, partition, era)
SELECT new.*, $16::int8 FROM {unnested(HEAD_KINDS, "new")}
"""
CHANGE_KINDS = "itttfittt"
_CHANGED = "version, status, doing, waiting_for, busy, ended_at, error_name, error_message"
_TO = ", ".join(f"excluded.{name}" for name in _CHANGED.split(", "))
# An upsert finds its rows by the key, whatever the planner knows; one that makes a row is undone.
CHANGE_HEADS = f"""
WITH done AS (
    INSERT INTO run ({_CHANGED}, run_id, workflow, started_at, partition, era)
    SELECT new.*, '', 0, 0, 0 FROM {unnested(CHANGE_KINDS, "new")}
    ON CONFLICT (run_id) DO UPDATE SET ({_CHANGED}) = ROW ({_TO}) RETURNING run.xmax = 0 AS made
)
SELECT 1 / (NOT bool_or(made))::int FROM done
"""

EVENT = (
    "event.id, event.source, event.type, event.time, event.subject, event.data, event.holes, "
    "event.extensions, event.description"
)
STORED = f"{EVENT}, event.received_at, event.answer, event.values_keys"
EVENT_KINDS = "tttitbttibtt"
ADD_EVENTS = f"""
INSERT INTO event (id, source, type, time, subject, data, extensions, description, received_at,
    answer, values_keys, holes, era)
SELECT new.*, $13::int8 FROM {unnested("tttitbttibtt", "new")}
"""
ADD_KEYED_EVENTS = f"""
WITH added AS ({ADD_EVENTS} RETURNING number, type, received_at, values_keys)
INSERT INTO event_key (type, values_key, received_at, number, era)
SELECT added.type, keys.one, added.received_at, added.number, $13::int8
FROM added CROSS JOIN LATERAL (
    SELECT DISTINCT one FROM json_array_elements_text(added.values_keys::json) AS each (one)
) AS keys
"""

PUT_WAITS = f"""
INSERT INTO wait (run_id, key, type, values_key, since, partition, era)
SELECT new.*, $7::int8 FROM {unnested("ttttii", "new")}
ON CONFLICT (run_id, key, type) DO UPDATE SET values_key = excluded.values_key,
    since = excluded.since, era = excluded.era, by = excluded.by, opened = excluded.opened
"""
CLOSE_WAITS = f"DELETE FROM wait WHERE {_named('wait', 'tt', 'run_id, key')}"

SET_TIMERS = f"""
INSERT INTO timer (run_id, key, kind, due_at, partition) SELECT * FROM {unnested("tttii", "new")}
ON CONFLICT (run_id, key, kind) DO UPDATE SET due_at = excluded.due_at
"""
CLEAR_TIMERS = f"DELETE FROM timer WHERE {_named('timer', 'ttt', 'run_id, key, kind')}"

ADD_OUTGOING = f"""
INSERT INTO outbox (run_id, event, partition, bus) SELECT * FROM {unnested("tbit", "new")}
"""
ADD_CUT_OUTGOING = """
WITH added AS (
    INSERT INTO outbox (run_id, event, partition, bus, holes)
    VALUES ($1::text, $2::bytea, $3::int8, $4::text, $5::text) RETURNING number
)
INSERT INTO value_use (owner, digest) SELECT 'out/' || number, unnest($6::bytea[]) FROM added
"""
DROP_SENT = f"""
WITH gone AS (DELETE FROM outbox WHERE number = ANY ($1::int8[]) RETURNING number, holes),
freed AS (
    DELETE FROM value_use USING gone
    WHERE gone.holes IS NOT NULL AND owner = 'out/' || gone.number RETURNING digest
) {_LOOSEN}
"""

DROP_REPLIES = f"""
WITH gone AS (
    DELETE FROM reply WHERE reply.ctid = ANY (ARRAY(
        SELECT one.ctid FROM {unnested("tti", "old")} (scope, key, at) CROSS JOIN LATERAL (
            SELECT its.ctid FROM reply AS its
            WHERE its.scope = old.scope AND its.key = old.key AND its.expires_at <= old.at
            FOR UPDATE
        ) AS one
    )) RETURNING reply.scope, reply.key, holes
),
freed AS (
    DELETE FROM value_use USING gone WHERE gone.holes IS NOT NULL
    AND owner = 'reply/' || length(gone.scope) || '/' || gone.scope || '/' || gone.key
    RETURNING digest
) {_LOOSEN}
"""
ADD_REPLIES = f"""
INSERT INTO reply (scope, key, digest, answer, holes, at, expires_at)
SELECT * FROM {unnested("tttbtii", "new")}
"""

RETIRE = f"""
UPDATE version SET retired = true FROM {unnested("ti", "old")} (workflow, version)
WHERE version.workflow = old.workflow AND version.version = old.version
"""
PUT_VERSION = all_of(
    """INSERT INTO version (workflow, version, digest, document, created_at, workflow_id)
    VALUES ($1::text, $2::int8, $3::text, $4::bytea, $5::int8, $6::text)
    ON CONFLICT (workflow, version) DO UPDATE SET retired = false
    WHERE version.digest = excluded.digest""",
    "1",
)
LETTER = (
    "id, at, kind, target, event_source, event_id, reasons, event, holes, run_id, attempts, "
    "redriven_at, redriven_by, redriven_run"
)
LETTER_KINDS = "tittttbtttiittt"
ADD_LETTERS = f"""
INSERT INTO dead_letter ({LETTER}, event_type) SELECT * FROM {unnested(LETTER_KINDS, "new")}
"""
REDRIVE = all_of(
    """UPDATE dead_letter SET reasons = $1::bytea, attempts = $2::int8, redriven_at = $3::int8,
    redriven_by = $4::text, redriven_run = $5::text WHERE id = $6::text AND redriven_at IS NULL""",
    "1",
)

TASK = (
    "id, run_id, key, attempt, workflow, name, assignee, due_at, opened_at, asked, asked_holes, "
    "status, ended_at, done_by, outcome, answer, answer_holes"
)
PUT_TASK = f"""
INSERT INTO task ({TASK}, candidates, groups) VALUES (
    $1::text, $2::text, $3::text, $4::int8, $5::text, $6::text, $7::text, $8::int8, $9::int8,
    $10::bytea, $11::text, $12::text, $13::int8, $14::text, $15::text, $16::bytea, $17::text,
    $18::text[], $19::text[]
)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, assignee = excluded.assignee,
    due_at = excluded.due_at, asked = excluded.asked, asked_holes = excluded.asked_holes,
    candidates = excluded.candidates, groups = excluded.groups WHERE task.status = 'pending'
"""
END_TASK = """
UPDATE task SET status = $1::text, ended_at = $2::int8, done_by = $3::text, outcome = $4::text,
    answer = $5::bytea, answer_holes = $6::text WHERE id = $7::text AND status = 'pending'
"""

FREE_TURNS = f"DELETE FROM turn WHERE {_named('turn', 'tt', 'run_id, key')}"
FREE_PLACES = f"DELETE FROM place WHERE {_named('place', 'tt', 'run_id, key')}"
ADD_TURNS = f"""
INSERT INTO turn (run_id, key, priority, wants) SELECT * FROM {unnested("ttib", "new")}
ON CONFLICT (run_id, key) DO UPDATE SET number = excluded.number, priority = excluded.priority,
    wants = excluded.wants
"""
ADD_PLACES = f"INSERT INTO place (name, n, run_id, key) SELECT * FROM {unnested('titt', 'new')}"
PUT_BUCKETS = f"""
INSERT INTO bucket (name, full_at) SELECT * FROM {unnested("ti", "new")}
ON CONFLICT (name) DO UPDATE SET full_at = excluded.full_at
"""
DROP_BUCKETS = "DELETE FROM bucket WHERE name = ANY ($1::text[])"
ADD_MAIL = f"""
INSERT INTO mail (kind, told, caller, key, attempt, body, partition)
SELECT * FROM {unnested("ttttibi", "new")}
ON CONFLICT (caller, key, attempt, kind) DO UPDATE SET number = excluded.number,
    told = excluded.told, body = excluded.body, partition = excluded.partition
"""
TAKE_MAIL = f"DELETE FROM mail WHERE {_named('mail', 'ttti', 'kind, caller, key, attempt')}"
SCHEDULE = (
    "id, workflow, says, next_for, due_at, planned_at, waits_for, last_for, last_at, last_run, "
    "missed_for, paused_at, paused_by, paused_why"
)
_REPLACED = ", ".join(f"{name} = excluded.{name}" for name in SCHEDULE.split(", ")[1:])
PUT_SCHEDULES = f"""
INSERT INTO schedule ({SCHEDULE}) SELECT * FROM {unnested("tttiiitiitiitt", "new")}
ON CONFLICT (id) DO UPDATE SET {_REPLACED}
"""
DROP_SCHEDULES = "DELETE FROM schedule WHERE id = ANY ($1::text[])"

PUT_OPERATIONS = f"""
INSERT INTO operation (id, status, expires_at, ended_at, data)
SELECT * FROM {unnested("ttiib", "new")}
ON CONFLICT (id) DO UPDATE SET status = excluded.status, expires_at = excluded.expires_at,
    ended_at = excluded.ended_at, data = excluded.data
"""
ADD_MATCHED = f"""
INSERT INTO operation_run (operation, run_id) SELECT * FROM {unnested("tt", "new")}
ON CONFLICT DO NOTHING
"""
SETTLE_RUNS = all_of(
    f"""UPDATE operation_run SET outcome = new.outcome, reason = new.reason
    FROM {unnested("tttt", "new")} (outcome, reason, operation, run_id)
    WHERE operation_run.operation = new.operation AND operation_run.run_id = new.run_id
    AND length(operation_run.outcome) = 0 AND operation_run.ctid = ANY (ARRAY(
        SELECT one.ctid FROM unnest($3::text[], $4::text[]) AS old (operation, run_id)
        CROSS JOIN LATERAL (
            SELECT its.ctid FROM operation_run AS its
            WHERE its.operation = old.operation AND its.run_id = old.run_id FOR UPDATE
        ) AS one
    ))""",
    "$5::int8",
)

# large values: a row that is added or used is locked, so that nobody takes it away meanwhile

ADD_VALUES = f"""
INSERT INTO value (digest, data) SELECT * FROM {unnested("bb", "new")}
ON CONFLICT (digest) DO UPDATE SET digest = excluded.digest
"""
USE_VALUES = f"""
INSERT INTO value_use (owner, digest) SELECT * FROM {unnested("tb", "new")} ON CONFLICT DO NOTHING
"""

# what is removed: runs by name, their records a few at a time

NOTE_REMOVED = """
WITH going AS (
    SELECT run_id FROM run WHERE run_id = ANY ($1::text[]) AND ended_at < $2::int8
    ORDER BY run_id FOR UPDATE
)
INSERT INTO removed SELECT run_id FROM going ON CONFLICT DO NOTHING
"""
DISOWN_RUNS = f"""
WITH freed AS (
    DELETE FROM value_use USING removed WHERE removed.run_id = ANY ($1::text[])
    AND owner = 'run/' || removed.run_id RETURNING digest
) {_LOOSEN}
"""
DROP_RUNS = "DELETE FROM run WHERE run_id = ANY ($1::text[]) AND ended_at < $2::int8"
DROP_OF_RUNS = [
    f"DELETE FROM {table} USING removed "
    f"WHERE removed.run_id = ANY ($1::text[]) AND {table}.run_id = removed.run_id"
    for table in ("wait", "timer", "task", "job")
]
SWEEP = """
WITH going AS (
    SELECT its.run_id, its.seq
    FROM (SELECT run_id FROM removed ORDER BY run_id LIMIT $1::int8) AS gone
    CROSS JOIN LATERAL (
        SELECT run_id, seq FROM history WHERE history.run_id = gone.run_id LIMIT $1::int8
    ) AS its LIMIT $1::int8
)
DELETE FROM history WHERE (run_id, seq) IN (SELECT run_id, seq FROM going)
"""
SWEPT = """
DELETE FROM removed WHERE run_id = ANY (ARRAY(
    SELECT gone.run_id FROM (SELECT run_id FROM removed ORDER BY run_id LIMIT $1::int8) AS gone
    LEFT JOIN LATERAL (
        SELECT seq FROM history WHERE history.run_id = gone.run_id LIMIT 1
    ) AS left_over ON true WHERE left_over.seq IS NULL
))
"""
DROP_EVENTS = f"""
WITH named AS (
    SELECT its.number FROM {unnested("tt", "old")} (source, id) CROSS JOIN LATERAL (
        SELECT number FROM event WHERE event.id = old.id AND event.source = old.source LIMIT 1
    ) AS its
),
gone AS (
    DELETE FROM event USING named
    WHERE event.number = named.number AND named.number < (SELECT max(number) FROM event)
    RETURNING event.number, event.id, event.source, event.holes
),
keys AS (DELETE FROM event_key USING gone WHERE event_key.number = gone.number),
freed AS (
    DELETE FROM value_use USING gone WHERE gone.holes IS NOT NULL
    AND owner = 'event/' || length(gone.source) || '/' || gone.source || '/' || gone.id
    RETURNING digest
) {_LOOSEN}
"""
DROP_LETTERS = f"""
WITH gone AS (DELETE FROM dead_letter WHERE id = ANY ($1::text[]) RETURNING id),
freed AS (DELETE FROM value_use USING gone WHERE owner = 'letter/' || gone.id RETURNING digest)
{_LOOSEN}
"""
DROP_OPERATION_RUNS = """
DELETE FROM operation_run WHERE operation = $1::text AND run_id IN (
    SELECT run_id FROM operation_run WHERE operation = $1::text ORDER BY run_id LIMIT $2::int8
) AND EXISTS (SELECT 1 FROM operation WHERE id = $1::text AND status <> 'running')
"""
DROP_OPERATION = """
DELETE FROM operation WHERE id = $1::text AND status <> 'running'
    AND NOT EXISTS (SELECT 1 FROM operation_run WHERE operation = $1::text)
"""

# First those that nobody else holds are marked, then, with new eyes, those go that nobody uses.

MARK_LOOSE = """
WITH few AS (SELECT digest FROM value_loose ORDER BY digest LIMIT $2::int8),
held AS (
    SELECT value.digest, octet_length(value.data) AS size FROM value
    WHERE value.digest IN (SELECT digest FROM few) ORDER BY value.digest
    FOR UPDATE SKIP LOCKED
),
lot AS (
    SELECT digest FROM (
        SELECT digest, sum(size) OVER (ORDER BY digest) - size AS before FROM held
    ) AS sized WHERE before < $3::int8
),
chosen AS (
    SELECT digest FROM lot
    UNION SELECT digest FROM few
        WHERE NOT EXISTS (SELECT 1 FROM value WHERE value.digest = few.digest)
)
UPDATE value_loose SET lot = $1::int8 FROM chosen WHERE value_loose.digest = chosen.digest
"""
DROP_LOOSE = """
DELETE FROM value WHERE digest IN (SELECT digest FROM value_loose WHERE lot = $1::int8)
    AND NOT EXISTS (SELECT 1 FROM value_use WHERE value_use.digest = value.digest)
"""
NOT_LOOSE = "DELETE FROM value_loose WHERE lot = $1::int8"
