"""Programs of Debian packages, unpacked into ``.cache/debian`` and not installed.

Nothing outside that folder is written, no service is started, and no rights are needed: apt has
lists and a cache of its own there.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

from tests.servers.missing import Missing

CACHE = Path(__file__).resolve().parents[2] / ".cache/debian"


def unpacked(package: str, program: str) -> tuple[Path, dict[str, str]]:
    """Where the program is, and what its environment needs. Raises ``Missing``."""
    root = CACHE / package
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{package}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        if not (root / program).exists():
            _fetch(package, root)
    if not (root / program).exists():
        raise Missing(f"{package} has no {program}")
    libraries = ":".join(str(path) for path in sorted(root.glob("usr/lib/*-linux-gnu")))
    return root / program, {"LD_LIBRARY_PATH": libraries}


def _fetch(package: str, root: Path) -> None:
    if shutil.which("apt-get") is None:
        raise Missing(f"{package}: there is no apt-get here")
    work = CACHE / f"{package}.apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    options = (
        f"Dir::State::lists={work}/lists", f"Dir::Cache={work}/cache", "Debug::NoLocking=1",
        "APT::Sandbox::User=", f"Dir::State::extended_states={work}/extended",
    )  # fmt: skip
    apt = ["apt-get", "-qq", *(part for option in options for part in ("-o", option))]
    _run([*apt, "update"])
    _run([*apt, "-y", "--no-install-recommends", "--download-only", "install", package])
    new = root.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    for archive in (work / "cache/archives").glob("*.deb"):
        _run(["dpkg-deb", "-x", archive, new])
    if new.exists():
        new.rename(root)
    shutil.rmtree(work, ignore_errors=True)


def _run(command: list[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise Missing(f"{command[0]} failed: {done.stderr[-500:]}")
