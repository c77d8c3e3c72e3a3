"""The SQL that is constant, so that each statement is prepared once. Filters are in ``lists``."""

from __future__ import annotations

from ostinato.core.state import OPEN_STATUSES

# one batch

FENCE = "SELECT epoch, outgoing FROM member WHERE id = 1"
JOIN = "UPDATE member SET epoch = epoch + 1 WHERE id = 1 RETURNING epoch"
COUNT_OUTGOING = "UPDATE member SET outgoing = ? WHERE id = 1"

ADD_RECORD = "INSERT INTO history (run_id, seq, at, version, data) VALUES (?, ?, ?, ?, ?)"
ADD_CUT_RECORD = """
INSERT INTO history (run_id, seq, at, version, data, holes) VALUES (?, ?, ?, ?, ?, ?)
"""

HEAD = (
    "run_id, workflow, version, status, started_at, uid, doing, waiting_for, busy, ended_at, "
    "error_name, error_message, event_source, event_id"
)
ADD_HEAD = f"INSERT INTO run ({HEAD}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
CHANGE_HEAD = """
UPDATE run SET version = ?, status = ?, doing = ?, waiting_for = ?, busy = ?, ended_at = ?,
    error_name = ?, error_message = ? WHERE run_id = ?
"""

EVENT = (
    "event.id, event.source, event.type, event.time, event.subject, event.data, event.holes, "
    "event.extensions, event.description"
)
STORED = f"{EVENT}, event.received_at, event.answer, event.values_keys"
LAST_EVENT = "SELECT coalesce(max(number), 0) FROM event"
ADD_EVENT = """
INSERT INTO event (number, id, source, type, time, subject, data, extensions, description,
    received_at, answer, values_keys) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
CUT_EVENT = "UPDATE event SET data = ?, holes = ? WHERE number = ?"
ADD_EVENT_KEY = "INSERT INTO event_key (type, values_key, received_at, number) VALUES (?, ?, ?, ?)"

PUT_WAIT = """
INSERT OR REPLACE INTO wait (run_id, key, type, values_key, since, after)
VALUES (?, ?, ?, ?, ?, ?)
"""
CLOSE_WAIT = "DELETE FROM wait WHERE run_id = ? AND key = ?"

SET_TIMER = """
INSERT INTO timer (run_id, key, kind, due_at) VALUES (?, ?, ?, ?)
ON CONFLICT (run_id, key, kind) DO UPDATE SET due_at = excluded.due_at
"""
CLEAR_TIMER = "DELETE FROM timer WHERE run_id = ? AND key = ? AND kind = ?"

ADD_OUTGOING = "INSERT INTO outbox (number, run_id, bus, event, holes) VALUES (?, ?, ?, ?, ?)"
CUT_OUTGOING = "SELECT number FROM outbox WHERE number <= ? AND holes IS NOT NULL"
DROP_SENT = "DELETE FROM outbox WHERE number = ?"

DROP_EXPIRED_REPLY = "DELETE FROM reply WHERE scope = ? AND key = ? AND expires_at <= ?"
EXPIRED_CUT_REPLY = """
SELECT 1 FROM reply WHERE scope = ? AND key = ? AND expires_at <= ? AND holes IS NOT NULL
"""
ADD_REPLY = """
INSERT INTO reply (scope, key, digest, answer, holes, at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)
"""

RETIRE = "UPDATE version SET retired = 1 WHERE workflow = ? AND version = ?"
PUT_VERSION = """
INSERT INTO version (workflow, version, digest, document, created_at, workflow_id)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (workflow, version) DO UPDATE SET retired = 0 WHERE digest = excluded.digest
"""
LETTER = (
    "id, at, kind, target, event_source, event_id, reasons, event, holes, run_id, attempts, "
    "redriven_at, redriven_by, redriven_run"
)
ADD_DEAD_LETTER = f"""
INSERT INTO dead_letter ({LETTER}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
REDRIVE = """
UPDATE dead_letter SET reasons = ?, attempts = ?, redriven_at = ?, redriven_by = ?,
    redriven_run = ? WHERE id = ? AND redriven_at IS NULL
"""

TASK = (
    "id, run_id, key, attempt, workflow, name, assignee, due_at, opened_at, asked, asked_holes, "
    "status, ended_at, done_by, outcome, answer, answer_holes"
)
PUT_TASK = f"""
INSERT INTO task ({TASK}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, assignee = excluded.assignee,
    due_at = excluded.due_at, asked = excluded.asked, asked_holes = excluded.asked_holes
    WHERE status = 'pending'
"""
END_TASK = """
UPDATE task SET status = ?, ended_at = ?, done_by = ?, outcome = ?, answer = ?, answer_holes = ?
WHERE id = ? AND status = 'pending'
"""

# what is removed: runs by name, their records a few at a time

NOTE_REMOVED = """
INSERT INTO removed SELECT DISTINCT run.run_id FROM json_each(?) AS asked CROSS JOIN run
WHERE run.run_id = asked.value AND run.ended_at < ?
"""
DROP_RUN = "DELETE FROM run WHERE run_id = ? AND ended_at < ?"
DROP_WAITS = """
DELETE FROM wait WHERE run_id = ? AND EXISTS (SELECT 1 FROM removed WHERE removed.run_id = ?)
"""
DROP_TIMERS = """
DELETE FROM timer WHERE run_id = ? AND EXISTS (SELECT 1 FROM removed WHERE removed.run_id = ?)
"""
DROP_TASKS = """
DELETE FROM task WHERE run_id = ? AND EXISTS (SELECT 1 FROM removed WHERE removed.run_id = ?)
"""
REMOVED = "SELECT run_id FROM removed ORDER BY run_id LIMIT ?"
SWEEP = """
DELETE FROM history WHERE rowid IN (SELECT rowid FROM history WHERE run_id = ? LIMIT ?)
"""
SWEPT = "DELETE FROM removed WHERE run_id = ?"
DROP_EVENT_KEYS = """
DELETE FROM event_key WHERE (type, values_key, received_at, number) IN (
    SELECT event.type, found.value, event.received_at, event.number
    FROM event CROSS JOIN json_each(event.values_keys) AS found
    WHERE event.id = ? AND event.source = ? AND event.number < ?
)
"""
DROP_EVENT = "DELETE FROM event WHERE id = ? AND source = ? AND number < ?"
DROP_LETTER = "DELETE FROM dead_letter WHERE id = ?"

# large values: who uses them, and those that may have lost the last who did

ADD_VALUE = "INSERT INTO value (digest, data) VALUES (?, ?) ON CONFLICT DO NOTHING"
USE_VALUE = "INSERT INTO value_use (owner, digest) VALUES (?, ?) ON CONFLICT DO NOTHING"
LOOSEN = """
INSERT INTO value_loose SELECT digest FROM value_use WHERE owner = ? ON CONFLICT DO NOTHING
"""
DISOWN = "DELETE FROM value_use WHERE owner = ?"
GOING_RUNS = """
SELECT asked.value FROM json_each(?) AS asked CROSS JOIN removed ON removed.run_id = asked.value
"""
GOING_CUT_EVENT = """
SELECT number FROM event WHERE id = ? AND source = ? AND number < ? AND holes IS NOT NULL
"""
LOOSE = """
SELECT loose.digest, length(value.data),
    EXISTS (SELECT 1 FROM value_use WHERE value_use.digest = loose.digest)
FROM value_loose AS loose CROSS JOIN value ON value.digest = loose.digest LIMIT ?
"""
ANY_LOOSE = "SELECT 1 FROM value_loose LIMIT 1"
NOT_LOOSE = "DELETE FROM value_loose WHERE digest = ?"
DROP_VALUE = "DELETE FROM value WHERE digest = ?"
VALUE = "SELECT data FROM value WHERE digest = ?"

ADD_TURN = "INSERT OR REPLACE INTO turn (run_id, key, priority, wants) VALUES (?, ?, ?, ?)"
FREE_TURN = "DELETE FROM turn WHERE run_id = ? AND key = ?"
ADD_PLACE = "INSERT INTO place (name, n, run_id, key) VALUES (?, ?, ?, ?)"
FREE_PLACES = "DELETE FROM place WHERE run_id = ? AND key = ?"
PUT_BUCKET = """
INSERT INTO bucket (name, full_at) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET full_at = excluded.full_at
"""
DROP_BUCKET = "DELETE FROM bucket WHERE name = ?"
ADD_MAIL = """
INSERT OR REPLACE INTO mail (kind, told, caller, key, attempt, body) VALUES (?, ?, ?, ?, ?, ?)
"""
TAKE_MAIL = "DELETE FROM mail WHERE kind = ? AND caller = ? AND key = ? AND attempt = ?"
SCHEDULE = (
    "id, workflow, says, next_for, due_at, planned_at, waits_for, last_for, last_at, last_run, "
    "missed_for, paused_at, paused_by, paused_why"
)
PUT_SCHEDULE = f"""
INSERT OR REPLACE INTO schedule ({SCHEDULE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
DROP_SCHEDULE = "DELETE FROM schedule WHERE id = ?"

# what the engine reads; lists of keys come as one JSON text, so that the statement stays constant

HISTORY = """
SELECT run_id, seq, at, version, data, holes FROM history
WHERE run_id = ?
AND NOT EXISTS (SELECT 1 FROM removed WHERE removed.run_id = history.run_id)
AND seq >= (SELECT coalesce(max(seq), 0) FROM history WHERE run_id = ? AND seq <= ? + 1)
ORDER BY seq LIMIT ?
"""
ONE_HEAD = f"SELECT {HEAD} FROM run WHERE run_id = ?"
BUSY_RUNS = "SELECT run_id FROM run WHERE busy = 1 ORDER BY run_id"
OPEN_RUNS = """
SELECT run.workflow, run.uid, run.run_id FROM json_each(?) AS asked CROSS JOIN run
WHERE run.workflow = json_extract(asked.value, '$[0]')
    AND run.uid = json_extract(asked.value, '$[1]')
    AND run.ended_at IS NULL AND run.uid IS NOT NULL AND run.waiting_for IS NOT 'uid'
"""
DUE_TIMERS = """
SELECT run_id, key, kind, due_at FROM timer WHERE due_at <= ?
ORDER BY due_at, run_id, key, kind LIMIT ?
"""
DUE_TIMERS_OF = """
SELECT run_id, key, kind, due_at FROM timer WHERE due_at <= ?
AND EXISTS (SELECT 1 FROM run WHERE run.run_id = timer.run_id AND workflow = ?)
ORDER BY due_at, run_id, key, kind LIMIT ?
"""
NEXT_TIMER = "SELECT min(due_at) FROM timer"
SCHEDULES = f"SELECT {SCHEDULE} FROM schedule ORDER BY id"
SOME_SCHEDULES = f"""
SELECT {SCHEDULE} FROM schedule WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id
"""
DUE_SCHEDULES = f"SELECT {SCHEDULE} FROM schedule WHERE due_at <= ? ORDER BY due_at, id LIMIT ?"
NEXT_SCHEDULE = "SELECT min(due_at) FROM schedule WHERE due_at IS NOT NULL"
FIND_WAITS = """
SELECT wait.run_id, wait.key, wait.type, wait.values_key, wait.since
FROM (SELECT DISTINCT value FROM json_each(?)) AS asked CROSS JOIN wait
WHERE wait.type = ? AND wait.values_key = asked.value
    AND (wait.after < (SELECT number FROM event WHERE id = ? AND source = ?)) IS NOT 0
ORDER BY wait.run_id, wait.key
"""
EARLY_EVENTS = f"""
SELECT {EVENT} FROM event_key CROSS JOIN event ON event.number = event_key.number
WHERE event_key.type = ? AND event_key.values_key = ? AND event_key.received_at >= ?
ORDER BY event_key.received_at, event_key.number
"""
MISSED = f"""
SELECT wait.run_id, wait.key, wait.type, wait.values_key, wait.since, {EVENT}
FROM wait CROSS JOIN event_key
    ON event_key.type = wait.type AND event_key.values_key = wait.values_key
    AND (event_key.number > wait.after OR event_key.received_at >= wait.since)
CROSS JOIN event ON event.number = event_key.number
ORDER BY event.number, wait.run_id, wait.key
"""
KNOWN_EVENTS = f"""
SELECT {STORED} FROM json_each(?) AS asked CROSS JOIN event
WHERE event.id = json_extract(asked.value, '$[1]')
    AND event.source = json_extract(asked.value, '$[0]')
"""
TURNS = "SELECT run_id, key, priority, wants FROM turn ORDER BY number"
PLACES = "SELECT name, n, run_id, key FROM place ORDER BY name, n"
BUCKETS = "SELECT name, full_at FROM bucket"
MAIL = "SELECT kind, told, caller, key, attempt, body FROM mail ORDER BY number"
ONE_REPLY = """
SELECT scope, key, digest, answer, holes, at, expires_at FROM reply
WHERE scope = ? AND key = ? AND expires_at > ?
"""
OUTBOX = """
SELECT number, run_id, event, holes, bus FROM outbox
WHERE bus = ? AND number NOT IN (SELECT value FROM json_each(?)) ORDER BY number LIMIT ?
"""
BACKLOG = "SELECT bus, count(*) FROM outbox GROUP BY bus"
VERSIONS = """
SELECT workflow, version, digest, document, created_at, workflow_id, retired
FROM version ORDER BY workflow, version
"""
EVENTS_BY_ID = f"SELECT {STORED} FROM event WHERE id = ? ORDER BY source"
ONE_LETTER = f"SELECT {LETTER} FROM dead_letter WHERE id = ?"
ONE_TASK = f"SELECT {TASK} FROM task WHERE id = ?"

# what the janitor reads

OVER_RUNS = """
SELECT run_id FROM run WHERE workflow = ? AND status = ? AND ended_at < ?
ORDER BY ended_at LIMIT ?
"""
OLDEST_OPEN = f"""
SELECT workflow, min(started_at) FROM run
WHERE status IN ({", ".join(f"'{status}'" for status in OPEN_STATUSES)}) GROUP BY workflow
"""
AGED_EVENTS = """
SELECT number, source, id, type, received_at, values_keys IS NOT NULL FROM event
WHERE number > ? AND number < (SELECT max(number) FROM event) ORDER BY number LIMIT ?
"""
AGED_LETTERS = "SELECT id FROM dead_letter WHERE at < ? ORDER BY at, id LIMIT ?"
EXPIRED_REPLIES = """
SELECT scope, key FROM reply WHERE expires_at <= ? ORDER BY expires_at LIMIT ?
"""

# repairs of many runs

PUT_OPERATION = """
INSERT OR REPLACE INTO operation (id, status, expires_at, ended_at, data) VALUES (?, ?, ?, ?, ?)
"""
ADD_MATCHED = "INSERT OR IGNORE INTO operation_run (operation, run_id) VALUES (?, ?)"
SETTLE_RUN = """
UPDATE operation_run SET outcome = ?, reason = ?
WHERE operation = ? AND run_id = ? AND outcome = ''
"""
ONE_OPERATION = "SELECT id, status, data FROM operation WHERE id = ?"
OPERATIONS = """
SELECT id, status, data FROM operation WHERE status <> 'preview' AND id < ?
ORDER BY id DESC LIMIT ?
"""
RUNNING_OPERATIONS = """
SELECT id, status, data FROM operation WHERE status = 'running' ORDER BY id
"""
OPERATION_RUNS = """
SELECT run_id FROM operation_run WHERE operation = ? AND outcome = '' AND run_id > ?
ORDER BY run_id LIMIT ?
"""
OPERATION_RUN = "SELECT outcome FROM operation_run WHERE operation = ? AND run_id = ?"
OPERATION_TALLY = """
SELECT outcome, reason, count(*), min(run_id) FROM operation_run WHERE operation = ?
GROUP BY outcome, reason ORDER BY count(*) DESC, outcome, reason
"""
AGED_OPERATIONS = """
SELECT id FROM operation WHERE status = 'preview' AND expires_at <= ?
UNION SELECT id FROM operation WHERE status IN ('stopped', 'ended') AND ended_at < ?
ORDER BY id LIMIT ?
"""
DROP_OPERATION_RUNS = """
DELETE FROM operation_run WHERE operation = ? AND run_id IN (
    SELECT run_id FROM operation_run WHERE operation = ? ORDER BY run_id LIMIT ?
) AND EXISTS (SELECT 1 FROM operation WHERE id = ? AND status <> 'running')
"""
DROP_OPERATION = """
DELETE FROM operation WHERE id = ? AND status <> 'running'
    AND NOT EXISTS (SELECT 1 FROM operation_run WHERE operation = ?)
"""
