"""What a reader must know of the machine: a figure without it says little."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from ostinato import __version__

_SYNCS = 15


def machine(folder: Path) -> dict[str, Any]:
    return {
        "ostinato": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": _named("/proc/cpuinfo", "model name"),
        "cpus": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "load": round(os.getloadavg()[0], 2),
        "sync_ms": sync_ms(folder),
    }


def sync_ms(folder: Path) -> float:
    """How long the disk takes for 4 KiB to be safe: the least that any commit can take."""
    path, taken = folder / f".ostinato-sync-{os.getpid()}", []
    file = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        for _ in range(_SYNCS):
            os.write(file, bytes(4096))
            begun = time.perf_counter()
            os.fsync(file)
            taken.append(time.perf_counter() - begun)
    finally:
        os.close(file)
        path.unlink()
    return median(taken) * 1000


def _named(path: str, member: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(member)), "")


def _commit() -> str:
    """Of a checkout; elsewhere the version says it all."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
