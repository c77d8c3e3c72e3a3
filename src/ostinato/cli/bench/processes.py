"""The processes of a round: one group, so that all of them end when the round ends, however."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

from ostinato.cli.bench.machine import sync_ms
from ostinato.cli.bench.meter import Figures
from ostinato.cli.failure import Stop

_ENDS_WITHIN = 20  # seconds; a server in it drains first


def round_of(
    command: Sequence[str], folder: Path, environ: Mapping[str, str] | None = None
) -> Figures:
    """Run ``command`` with a new folder below ``folder`` as its last argument.

    The last line it prints is its figures; ``sync_ms`` is what the disk took for a sync just
    before, or just after if that was more. It leaves neither files nor processes.
    """
    before = sync_ms(folder)
    with tempfile.TemporaryDirectory(prefix=".ostinato-bench-", dir=folder) as place:
        code, out, err = _ended([*command, place], environ)
    if code:
        last = err.strip().splitlines()[-1:] or [f"exit code {code}"]
        raise Stop(f"{' '.join(command[1:4])} failed: {last[0]}")
    figures: Figures = json.loads(out.strip().splitlines()[-1])
    return figures | {"sync_ms": max(before, sync_ms(folder))}


def _ended(command: Sequence[str], environ: Mapping[str, str] | None) -> tuple[int, str, str]:
    process = subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate()
    finally:
        _end_group(process)
    return process.returncode, out, err


def _end_group(process: subprocess.Popen[str]) -> None:
    """Its number is that of its first process, and is not given again while one of it lives."""
    if process.poll() is None:
        _signal(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_ENDS_WITHIN)
    _signal(process.pid, signal.SIGKILL)  # what outlived it
    process.communicate()


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


@contextlib.contextmanager
def ended_in_order() -> Iterator[None]:
    """SIGTERM unwinds the stack as Ctrl-C does, and processes and files go on the way."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
