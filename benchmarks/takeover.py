"""How long runs rest when their process is killed, or stopped in order.

    python -m benchmarks.takeover [ROUNDS] [LEASE]

Two servers share a PostgreSQL of their own. Runs that wait for an event begin at one, which is
then ended; when it is gone the event is sent to the other, and what counts is the time from the
signal to the end of the last of the runs. A third of the lease goes by on average before somebody
looks, so rounds differ. The last line is JSON: seconds of each round, by how the process was ended.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx2

from tests.servers.postgres import postgres

RUNS = 20
DOCUMENT = """
workflow: resting
phases: [{phase: p, jobs: [{job: go, wait: {event: GO}}, {job: after, run: noop}]}]
"""
ENDS = {"killed": signal.SIGKILL, "stopped": signal.SIGTERM}


class Server:
    def __init__(self, store: str, document: str, lease: str) -> None:
        command = [sys.executable, "-m", "ostinato", "serve", document, "--store", store]
        self.process = subprocess.Popen(
            [*command, "--port", "0", "--json"],
            env=os.environ | {"OSTINATO_LEASE": lease, "OSTINATO_LOG__LEVEL": "error"},
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        address = json.loads(self.process.stdout.readline())["address"]
        self.http = httpx2.Client(base_url=address, trust_env=False, timeout=60)

    def ready(self) -> bool:
        return self.http.get("/readyz").status_code == 200

    def ask(self, path: str, body: dict[str, Any]) -> Any:
        """Until it is answered."""
        while (answer := self.http.post(path, json=body)).status_code == 503:
            time.sleep(0.01)
        return answer.raise_for_status().json()

    def open_runs(self) -> int:
        found = self.http.get("/runs/count", params={"status": "running,waiting,pending"})
        return int(found.raise_for_status().json()["count"])

    def end(self, number: int = signal.SIGKILL) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(number)


def round_(store: str, document: str, lease: str, number: int) -> float:
    with ExitStack() as stack:
        servers = [Server(store, document, lease) for _ in range(2)]
        for server in servers:
            stack.callback(server.process.wait)
            stack.callback(server.end)
        while not all(server.ready() for server in servers):
            time.sleep(0.05)
        one, other = servers
        for _ in range(RUNS):
            one.ask("/runs", {"workflow": "resting", "input": {}})
        began = time.monotonic()
        one.end(number)
        one.process.wait()
        other.ask("/events", {"type": "GO", "id": f"{began}", "data": {}})
        while other.open_runs():
            time.sleep(0.02)
        return time.monotonic() - began


def main(rounds: int = 5, lease: str = "6s") -> None:
    found: dict[str, list[float]] = {name: [] for name in ENDS}
    with postgres(durable=True) as server, tempfile.TemporaryDirectory() as place:
        document = Path(place) / "resting.yaml"
        document.write_text(DOCUMENT)
        for _ in range(rounds):
            for name, number in ENDS.items():
                took = round_(server.url("postgres"), str(document), lease, number)
                found[name].append(round(took, 3))
    for name, times in found.items():
        sys.stdout.write(f"{name:8} median {statistics.median(times):.2f} s, worst {max(times)}\n")
    sys.stdout.write(json.dumps({"lease": lease, "runs": RUNS, "seconds": found}) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 5, *sys.argv[2:3])
