"""The SQL of members: who is there, who holds the store, and whose batches are taken."""

from __future__ import annotations

CHANNEL = "ostinato"
LISTEN = f"LISTEN {CHANNEL}"

ENTER = """
INSERT INTO member (id, epoch) SELECT $1::text, 0 WHERE NOT EXISTS (
    SELECT 1 FROM member WHERE id = $1::text
) ON CONFLICT (id) DO NOTHING
"""
# Where there was a connection before, it may still be in the middle of a batch: that ends now.
END_WRITER = """
SELECT pg_terminate_backend(pid) FROM member JOIN pg_stat_activity
    ON pid = writer AND backend_start = begun AND usename = current_user AND state <> 'idle'
WHERE id = $1::text
"""
WRITES = """
UPDATE member SET writer = pg_backend_pid(), begun = (
    SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()
) WHERE id = $1::text
"""
EXIT = "DELETE FROM member WHERE id = $1::text"
ADDRESS = """
SELECT address FROM lease JOIN holder USING (member) WHERE expires_at > clock_ms()
"""

# The fence: a batch locks the row of its member, and whoever changes that waits for the batch.

JOIN = """
UPDATE member SET epoch = nextval('epoch') WHERE id = $1::text
    AND EXISTS (SELECT 1 FROM holder WHERE holder.member = $1::text) RETURNING epoch
"""
FENCE_SELF = "UPDATE member SET epoch = nextval('epoch') WHERE id = $1::text"

# Leases

RENEW = """
INSERT INTO lease (member, address, version, since, span, expires_at)
VALUES ($1::text, $2::text, $3::text, clock_ms(), $4::int8, clock_ms() + $4::int8)
ON CONFLICT (member) DO UPDATE SET address = excluded.address, span = excluded.span,
    expires_at = excluded.expires_at
"""
# The clock may have been set back: nobody's lease is longer than it was meant to be.
SHORTEN = """
UPDATE lease SET expires_at = clock_ms() + span WHERE expires_at > clock_ms() + span
"""
FORGET = """
DELETE FROM lease WHERE expires_at + 10 * span < clock_ms()
    AND NOT EXISTS (SELECT 1 FROM holder WHERE holder.member = lease.member)
"""
FORGET_MEMBERS = """
DELETE FROM member WHERE since < clock_timestamp() - interval '1 day' AND id <> $1::text
    AND NOT EXISTS (SELECT 1 FROM lease WHERE lease.member = member.id)
    AND NOT EXISTS (SELECT 1 FROM holder WHERE holder.member = member.id)
"""
ROLL = """
SELECT at.now, lease.member, address, version, since,
    EXISTS (SELECT 1 FROM holder WHERE holder.member = lease.member), expires_at <= at.now
FROM (SELECT clock_ms() AS now) AS at LEFT JOIN lease ON true ORDER BY since, lease.member
"""

# Taking: one at a time, as all lock the same row first. Who held it may have been stopped in the
# middle of a batch that it has sent in part: its connection is ended, and the batch with it.

LOCK = "SELECT member FROM holder FOR UPDATE"
TAKE = """
UPDATE holder SET member = $1::text WHERE member IS NULL OR member <> $1::text AND NOT EXISTS (
    SELECT 1 FROM lease WHERE lease.member = holder.member AND expires_at > clock_ms()
) RETURNING 1
"""
TURN_OUT = """
SELECT pg_terminate_backend(pid) FROM member JOIN pg_stat_activity
    ON pid = writer AND backend_start = begun AND usename = current_user AND state <> 'idle'
WHERE id <> $1::text AND EXISTS (SELECT 1 FROM holder WHERE holder.member = $1::text)
"""
FENCE_BEFORE = """
UPDATE member SET epoch = nextval('epoch') WHERE id <> $1::text
    AND EXISTS (SELECT 1 FROM holder WHERE holder.member = $1::text)
"""
UNLATE = """
DELETE FROM lease WHERE expires_at <= clock_ms() AND member <> $1::text
    AND EXISTS (SELECT 1 FROM holder WHERE holder.member = $1::text)
"""
HELD = "SELECT member = $1::text FROM holder"

LET_GO = "UPDATE holder SET member = NULL WHERE member = $1::text"
END_LEASE = "DELETE FROM lease WHERE member = $1::text"
TELL = f"SELECT pg_notify('{CHANNEL}', 'left')"
