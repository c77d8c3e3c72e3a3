"""Time, CPU time, commits and memory, of this process and of a server that it has started."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

Figures = dict[str, float]

BESIDE = "OSTINATO_BENCH_BESIDE"
"""The variable with the id of a database server: its CPU counts, its connections' included."""


class Meter:
    """What has gone since it was made. ``others`` are the processes beside this one; a database
    server that ``BESIDE`` names counts for its CPU alone.

    ``commits`` says how many commits the store has made so far.
    """

    def __init__(self, commits: Callable[[], float], others: Sequence[int] = ()) -> None:
        self._commits = commits
        self._others = others
        self._committed = commits()
        self._cpu = self._cpu_now()
        self._begun = time.perf_counter()

    def _cpu_now(self) -> float:
        server = os.environ.get(BESIDE)
        beside = family_cpu(int(server)) if server else 0.0
        return time.process_time() + sum(map(cpu_of, self._others)) + beside

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._begun

    @property
    def cpu(self) -> float:
        """Seconds, of all threads of all processes."""
        return self._cpu_now() - self._cpu

    def costs(self, name: str, count: int, runs: int) -> Figures:
        """CPU time per ``name``, of which there were ``count``; commits per run; memory."""
        cpu = self.cpu
        return {
            f"cpu_us_per_{name}": cpu / count * 1e6,
            "commits_per_run": (self._commits() - self._committed) / runs,
            "peak_mib": peak_mib(*self._others),
        }

    def rates(self, name: str, count: int, runs: int) -> Figures:
        seconds = self.seconds
        return {f"{name}s_per_second": count / seconds, **self.costs(name, count, runs)}


def cpu_of(pid: int) -> float:
    """Seconds that a process has used, its ended threads included (Linux)."""
    clock = (~pid << 3) | 2  # what clock_getcpuclockid(3) makes of a process
    return time.clock_gettime_ns(clock) / 1e9


def family_cpu(pid: int) -> float:
    """Of a process and its children, those that have ended included (Linux)."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ended = (int(stat[13]) + int(stat[14])) / os.sysconf("SC_CLK_TCK")
    seconds = cpu_of(pid) + ended
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            seconds += cpu_of(int(child))
    return seconds


def peak_mib(*pids: int) -> float:
    """The most memory that the process had at once: this one's, or those that are named."""
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    return sum(_status(pid, "VmHWM") for pid in pids or ("self",)) / 1024


def memory_mib(pid: int | str = "self") -> float:
    """What it has now (Linux)."""
    return _status(pid, "VmRSS") / 1024


def _status(pid: int | str, member: str) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition(f"\n{member}:")[2].split(maxsplit=1)[0])


def percentiles(seconds: Sequence[float]) -> Figures:
    """In ms."""
    ranked = sorted(seconds)
    return {f"p{part}_ms": ranked[len(ranked) * part // 100] * 1000 for part in (50, 95, 99)}
