"""The measurement on PostgreSQL: python -m benchmarks.postgresql [WHAT `ostinato bench` TAKES].

A server is started for it in a temporary folder (TMPDIR says where: the disk counts), with every
setting that costs time as it comes: fsync, synchronous_commit and full_page_writes are on. The last
line is the answer as JSON.
"""

from __future__ import annotations

import subprocess
import sys

from tests.servers.postgres import postgres

WORKLOADS = (
    "W3", "W3-http", "W2", "W5-light", "W5-worker", "W5-worker-1", "fleet-busy", "fleet-noop", "W4",
    "W4-http", "W1b-600", "W1", "idle",
)  # fmt: skip
"""W1 comes late: pgbench beside it uses up what syncs a rented disk may make in a while."""
PEERS = ("dbos", "restate", "pgbench")


def main(given: list[str]) -> int:
    named = any(not each.startswith("-") and not each.isdecimal() for each in given)
    command = [sys.executable, "-m", "ostinato", "bench", *(() if named else WORKLOADS)]
    for peer in PEERS:
        command += ["--peer", peer]
    with postgres(durable=True, own=True) as server:
        store = ["--store", server.url("postgres")]
        return subprocess.run([*command, *store, "--json", *given], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
