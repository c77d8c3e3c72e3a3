"""The SQL about jobs that are offered to workers elsewhere."""

from __future__ import annotations

JOB = (
    "id, run_id, key, attempt, topic, workflow, priority, ready_at, brief, holes, timeout, deaths, "
    "token, worker, claimed_at, lease_until, cancelled"
)
PUT = f"INSERT OR REPLACE INTO job ({JOB}) VALUES ({', '.join('?' * 17)})"
DROP = "DELETE FROM job WHERE id = ?"
DROP_FREE = "DELETE FROM job WHERE id = ? AND token IS NULL"
CANCEL = "UPDATE job SET cancelled = 1 WHERE id = ?"
END = "DELETE FROM job WHERE id = ? AND token = ?"
FREE = """
UPDATE job SET deaths = ?, token = NULL, worker = NULL, claimed_at = NULL, lease_until = NULL
WHERE id = ? AND token = ?
"""
FIRST = """
SELECT id FROM job WHERE topic = ? AND token IS NULL
ORDER BY priority DESC, ready_at, number LIMIT ?
"""
CLAIM = """
UPDATE job SET token = ?, worker = ?, claimed_at = ?, lease_until = min(?, ? + ifnull(timeout, ?))
WHERE id = ? AND token IS NULL
"""
EXTEND = """
UPDATE job SET lease_until = min(?, claimed_at + ifnull(timeout, ?)) WHERE id = ? AND token = ?
"""
ONE = f"SELECT {JOB} FROM job WHERE id = ?"
DUE = f"SELECT {JOB} FROM job WHERE lease_until <= ? ORDER BY lease_until, id LIMIT ?"
NEXT_LEASE = "SELECT min(lease_until) FROM job WHERE lease_until IS NOT NULL"
SOME = f"SELECT {JOB} FROM job WHERE {{where}} ORDER BY ready_at DESC, id DESC LIMIT ?"
COUNTS = """
SELECT topic, worker, count(*), min(ready_at) FROM job GROUP BY topic, worker
ORDER BY topic, ifnull(worker, '')
"""
DROP_OF_RUN = """
DELETE FROM job WHERE run_id = ? AND EXISTS (SELECT 1 FROM removed WHERE removed.run_id = ?)
"""
