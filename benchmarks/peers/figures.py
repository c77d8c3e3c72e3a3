"""What the scripts of other engines count with: time, CPU of all processes, memory; and their work.

Imports nothing of Ostinato, and nothing but Python's own.
"""

import os
import time
from pathlib import Path

BESIDE = "OSTINATO_BENCH_BESIDE"
"""The variable with the id of a database server: its CPU counts, its connections' included."""
TICK = 1 / os.sysconf("SC_CLK_TCK")


class Meter:
    """What has gone since it was made; ``others`` are the processes beside this one.

    ``commits`` says how many there were so far, where that is known.
    """

    def __init__(self, others=(), commits=None):
        self.others, self.commits = others, commits
        self.committed = commits() if commits else 0
        self.before, self.begun = self.cpu_now(), time.perf_counter()

    def cpu_now(self):
        server = os.environ.get(BESIDE)
        beside = family_cpu(int(server)) if server else 0
        return time.process_time() + sum(map(cpu_of, self.others)) + beside

    @property
    def seconds(self):
        return time.perf_counter() - self.begun

    @property
    def cpu(self):
        return self.cpu_now() - self.before

    def costs(self, name, count, runs):
        figures = {f"cpu_us_per_{name}": self.cpu / count * 1e6}
        if self.commits:
            figures["commits_per_run"] = (self.commits() - self.committed) / runs
        return {**figures, "peak_mib": sum(map(peak_mib, (*self.others, "self")))}

    def rates(self, name, count, runs):
        seconds = self.seconds
        return {f"{name}s_per_second": count / seconds, **self.costs(name, count, runs)}


def cpu_of(pid):
    """Seconds, of its ended threads, too (Linux)."""
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e9


def family_cpu(pid):
    """Of a process and its children, those that have ended and were waited for included."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    seconds = cpu_of(pid) + (int(stat[13]) + int(stat[14])) * TICK
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            seconds += cpu_of(int(child))
        except OSError:
            continue  # it has ended since
    return seconds


def peak_mib(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("\nVmHWM:")[2].split(maxsplit=1)[0]) / 1024


def percentiles(taken):
    taken = sorted(taken)
    return {f"p{part}_ms": taken[len(taken) * part // 100] * 1000 for part in (50, 95, 99)}


def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def bare_loop(count):
    """Seconds of the heavy work without an engine, and of CPU."""
    begun, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        fibonacci(33)
    return time.perf_counter() - begun, time.process_time() - cpu
