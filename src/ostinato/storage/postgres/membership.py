"""The SQL of members: who is there, who has which partitions, and whose batches are taken."""

from __future__ import annotations

from ostinato.core.run_ids import HUB

CHANNEL = "ostinato"
LISTEN = f"LISTEN {CHANNEL}"
HINT = f"SELECT pg_notify('{CHANNEL}', $1::text)"

ENTER = """
INSERT INTO member (id, epoch, life) SELECT $1::text, 0, nextval('epoch') WHERE NOT EXISTS (
    SELECT 1 FROM member WHERE id = $1::text
) ON CONFLICT (id) DO NOTHING
"""
LIFE = "SELECT life FROM member WHERE id = $1::text"
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
SELECT address FROM lease JOIN partition USING (member) WHERE expires_at > clock_ms()
ORDER BY number LIMIT 1
"""

# The fence: a batch locks the row of its member, and whoever changes that waits for the batch. Who
# is buried in this moment gets no epoch: "life" is in the row that this waits for.

JOIN = """
UPDATE member SET epoch = nextval('epoch') WHERE id = $1::text AND life = $2::int8
    AND EXISTS (SELECT 1 FROM partition WHERE partition.member = $1::text) RETURNING epoch
"""
FENCE_SELF = "UPDATE member SET epoch = nextval('epoch') WHERE id = $1::text"

# Leases. Who was buried renews nothing until it has been told.

RENEW = """
INSERT INTO lease (member, address, version, since, span, expires_at, waits, stores)
SELECT id, $3::text, $4::text, clock_ms(), $5::int8, clock_ms() + $5::int8, $6::int8 = 1, $7::int8
FROM member WHERE id = $1::text AND life = $2::int8
ON CONFLICT (member) DO UPDATE SET address = excluded.address, span = excluded.span,
    expires_at = excluded.expires_at, waits = excluded.waits, stores = excluded.stores
"""
# The clock may have been set back: nobody's lease is longer than it was meant to be.
SHORTEN = """
UPDATE lease SET expires_at = clock_ms() + span WHERE expires_at > clock_ms() + span
"""
FORGET = """
DELETE FROM lease WHERE expires_at + 10 * span < clock_ms()
    AND NOT EXISTS (SELECT 1 FROM partition WHERE partition.member = lease.member)
"""
FORGET_MEMBERS = """
DELETE FROM member WHERE since < clock_timestamp() - interval '1 day' AND id <> $1::text
    AND NOT EXISTS (SELECT 1 FROM lease WHERE lease.member = member.id)
    AND NOT EXISTS (SELECT 1 FROM partition WHERE partition.member = member.id)
"""
ROLL = f"""
SELECT (SELECT life FROM member WHERE id = $1::text), at.now,
    (SELECT member FROM partition WHERE number = {HUB}),
    (SELECT count(*) FROM partition WHERE member IS NULL),
    lease.member, address, version, since,
    (SELECT count(*) FROM partition WHERE partition.member = lease.member),
    waits, expires_at <= at.now, stores
FROM (SELECT clock_ms() AS now) AS at LEFT JOIN lease ON true ORDER BY since, lease.member
"""

# Partitions change hands one process at a time, as all lock the same row first.

LOCK = f"SELECT member FROM partition WHERE number = {HUB} FOR UPDATE"
ALIVE = """
SELECT 1 / count(*) FROM (SELECT 1 FROM member WHERE id = $1::text AND life = $2::int8) AS me
"""
TOLD = """
UPDATE partition SET orphaned = false
WHERE orphaned AND member = $1::text AND number = ANY ($2::int2[])
"""

# Burying. It is said once who is late, as time goes on meanwhile. Such a one may have been stopped
# in the middle of a batch that it has sent in part: its connection is ended, and the batch with it.

LATE = """
WITH at AS MATERIALIZED (SELECT clock_ms() AS now)
UPDATE partition SET late = true FROM at WHERE member <> $1::text AND NOT EXISTS (
    SELECT 1 FROM lease WHERE lease.member = partition.member AND expires_at > at.now
)
"""
TURN_OUT = """
SELECT pg_terminate_backend(pid) FROM member JOIN pg_stat_activity
    ON pid = writer AND backend_start = begun AND usename = current_user AND state <> 'idle'
WHERE id IN (SELECT member FROM partition WHERE late)
"""
BURY = """
UPDATE member SET epoch = nextval('epoch'), life = nextval('epoch')
WHERE id IN (SELECT member FROM partition WHERE late)
"""
END_LEASES = "DELETE FROM lease WHERE member IN (SELECT member FROM partition WHERE late)"
FREE = f"""
WITH freed AS (
    UPDATE partition SET member = NULL, orphaned = true, late = false WHERE late RETURNING 1
) SELECT pg_notify('{CHANNEL}', $1::text) WHERE EXISTS (SELECT 1 FROM freed)
"""

CLAIM = f"""
UPDATE partition SET member = $1::text WHERE number IN (
    SELECT number FROM partition WHERE member IS NULL AND (number <> {HUB} OR $3::int8 = 1)
    ORDER BY number <> {HUB}, number LIMIT $2::int8
)
"""
MINE = "SELECT number, orphaned FROM partition WHERE member = $1::text"
OWNERS = "SELECT number, member FROM partition WHERE member IS NOT NULL ORDER BY number"
GIVE = f"""
WITH given AS (
    UPDATE partition SET member = NULL, orphaned = false
    WHERE member = $1::text AND number = ANY ($2::int2[]) RETURNING 1
) SELECT pg_notify('{CHANNEL}', $3::text) WHERE EXISTS (SELECT 1 FROM given)
"""

LEAVE = f"""
SELECT pg_notify('{CHANNEL}', $2::text) WHERE EXISTS (
    SELECT 1 FROM lease WHERE member = $1::text
) OR EXISTS (SELECT 1 FROM partition WHERE member = $1::text)
"""
LET_GO = "UPDATE partition SET member = NULL, orphaned = true WHERE member = $1::text"
END_LEASE = "DELETE FROM lease WHERE member = $1::text"
