"""Rounds: ours and the peer's in turn, each in a process of its own, on a file of its own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ostinato.app.wiring import scratch_store
from ostinato.cli import output
from ostinato.cli.bench.machine import machine
from ostinato.cli.bench.meter import Figures
from ostinato.cli.bench.peers import Peer
from ostinato.cli.bench.processes import round_of
from ostinato.cli.bench.scale import Scale
from ostinato.cli.bench.server import STORE
from ostinato.cli.bench.summary import Rounds, first, ours, shown, summary
from ostinato.cli.bench.workloads import WORKLOADS


def measured(
    names: Iterable[str],
    rounds: int,
    scale: Scale,
    peer: Peer | None,
    folder: Path,
    store: str | None = None,
) -> dict[str, Any]:
    """The summary of each workload by its name, and what it was measured on.

    ``store`` is a PostgreSQL; each round has an empty database beside the one that it names.
    """
    answer: dict[str, Any] = {}
    there = machine(folder)
    for name in names:
        made = _rounds(name, rounds, scale, peer, folder, store)
        answer[name] = {"about": WORKLOADS[name].about(scale), **summary(WORKLOADS[name], made)}
    there["store"] = "SQLite, WAL, synchronous=FULL" if store is None else "PostgreSQL"
    there["load_after"] = round(os.getloadavg()[0], 2)
    if peer is not None:
        there[peer.name] = peer.version()
    return answer | {"rounds": rounds, "machine": there}


def _rounds(
    name: str, rounds: int, scale: Scale, peer: Peer | None, folder: Path, store: str | None
) -> Rounds:
    workload, made = WORKLOADS[name], Rounds({ours(store): []})
    count = 1 if workload.once else rounds
    for number in range(1, count + 1):
        made[ours(store)].append(measure(name, scale, folder, store))
        if peer is not None and name in peer.sizes:
            made.setdefault(peer.column, []).append(peer.measure(name, folder))
        last = ", ".join(f"{who} {shown(first(each[-1]))}" for who, each in made.items())
        output.note(f"{name} round {number} of {count}: {last} {workload.unit}")
    return made


def measure(name: str, scale: Scale, folder: Path, store: str | None = None) -> Figures:
    """One round of ours."""
    command = [sys.executable, "-m", "ostinato.cli.bench.one", name, json.dumps(asdict(scale))]
    if store is None:
        return round_of(command, folder)
    with scratch_store(store) as empty:
        return round_of(command, folder, os.environ | {STORE: empty})
