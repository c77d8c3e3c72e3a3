"""Rounds: ours and the peers' in turn, each in processes of its own, on a store of its own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ostinato.app.wiring import scratch_store, server_process, server_shown
from ostinato.cli import output
from ostinato.cli.bench.machine import machine
from ostinato.cli.bench.meter import BESIDE, Figures
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
    peers: Sequence[Peer],
    folder: Path,
    store: str | None = None,
) -> dict[str, Any]:
    """The summary of each workload by its name, and what it was measured on.

    ``store`` is a PostgreSQL; each round has an empty database beside the one that it names.
    """
    answer: dict[str, Any] = {}
    there = machine(folder)
    for name in names:
        made = _rounds(name, rounds, scale, peers, folder, store)
        answer[name] = {"about": WORKLOADS[name].about(scale), **summary(WORKLOADS[name], made)}
    there["store"] = "SQLite, WAL, synchronous=FULL" if store is None else server_shown(store)
    there["load_after"] = round(os.getloadavg()[0], 2)
    there |= {peer.name: peer.version() for peer in peers}
    return answer | {"rounds": rounds, "machine": there}


def _rounds(
    name: str,
    rounds: int,
    scale: Scale,
    peers: Sequence[Peer],
    folder: Path,
    store: str | None,
) -> Rounds:
    workload, made = WORKLOADS[name], Rounds({ours(store): []})
    count = 1 if workload.once else rounds
    for number in range(1, count + 1):
        made[ours(store)].append(measure(name, scale, folder, store))
        for peer in peers:
            if name in peer.sizes:
                with _empty(store) as place:
                    figures = peer.measure(name, folder, place)
                made.setdefault(peer.column(store), []).append(figures)
        last = ", ".join(f"{who} {shown(first(each[-1]))}" for who, each in made.items())
        output.note(f"{name} round {number} of {count}: {last} {workload.unit}")
    return made


def measure(name: str, scale: Scale, folder: Path, store: str | None = None) -> Figures:
    """One round of ours."""
    command = [sys.executable, "-m", "ostinato.cli.bench.one", name, json.dumps(asdict(scale))]
    with _empty(store) as place:
        return round_of(command, folder, os.environ | place)


@contextmanager
def _empty(store: str | None) -> Iterator[Mapping[str, str]]:
    """The variables that name a database of its own, and the server whose CPU counts with it."""
    if store is None:
        yield {}
        return
    server = server_process(store)
    with scratch_store(store) as empty:
        yield {STORE: empty} | ({BESIDE: str(server)} if server else {})
