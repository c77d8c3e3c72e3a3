"""W1, W3 and W4 on DBOS with SQLite, as it comes: python dbos_sqlite.py WORKLOAD COUNT FOLDER.

The last line is the figures as JSON. Imports nothing of Ostinato; `ostinato bench --peer dbos`
runs it in an environment made of requirements/dbos.txt.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from dbos import DBOS

STEPS = 10


@DBOS.step()
def noop() -> None:
    pass


@DBOS.workflow()
def ten() -> None:
    for _ in range(STEPS):
        noop()


@DBOS.workflow()
def one() -> None:
    noop()


def at_once(workflow, count, name, each):
    begun, cpu = time.perf_counter(), time.process_time()
    handles = [DBOS.start_workflow(workflow) for _ in range(count)]
    accepted = time.perf_counter() - begun
    for handle in handles:
        handle.get_result()
    seconds = time.perf_counter() - begun
    figures = {
        f"{name}s_per_second": count * each / seconds,
        f"cpu_us_per_{name}": (time.process_time() - cpu) / (count * each) * 1e6,
    }
    return figures if each > 1 else figures | {"accepted_per_second": count / accepted}


def one_by_one(count):
    taken = []
    for _ in range(count):
        begun = time.perf_counter()
        one()
        taken.append((time.perf_counter() - begun) * 1000)
    taken.sort()
    return {f"p{part}_ms": taken[len(taken) * part // 100] for part in (50, 95, 99)}


WORKLOADS = {
    "W1": lambda count: at_once(ten, count, "step", STEPS),
    "W3": one_by_one,
    "W4": lambda count: at_once(one, count, "run", 1),
}


def main(workload, count, folder):
    with tempfile.TemporaryDirectory(prefix=".dbos-bench-", dir=folder) as place:
        file = Path(place) / "dbos.sqlite"
        DBOS(
            config={
                "name": "bench",
                "system_database_url": f"sqlite:///{file}",
                "log_level": "ERROR",
                "run_admin_server": False,
            }
        )
        DBOS.launch()
        ten()  # nothing of the first use is measured
        try:
            return WORKLOADS[workload](count)
        finally:
            DBOS.destroy()


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), sys.argv[3])))
