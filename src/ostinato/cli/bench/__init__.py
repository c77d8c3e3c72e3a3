"""``ostinato bench``: workloads through the whole engine, and other engines beside it.

workloads  the table of what is measured      scale      how much of each a round does
inside     … on an App in a process           documents  the workflows that are measured
served     … over HTTP                        server     the server process; load  who sends to it
shape      … what must not grow               meter      time, CPU, commits, memory
crowd      … among many patterns              waits      … how soon one is woken
rounds     ours and the peer's in turn        one        one round, a process of its own
processes  a round leaves nothing behind      peers      the engines beside it
summary    medians, ranges, ratios            machine    what it was measured on
environment  packages that are not ours, apart
"""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ostinato.cli.failure import USAGE, Stop
from ostinato.cli.options import Json

if TYPE_CHECKING:
    from ostinato.cli.bench.peers import Peer


def bench(
    workloads: Annotated[
        list[str] | None,
        typer.Argument(metavar="[W]…", help="Workloads, or `all`.  [default: W1]"),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How many, alternating with the peer.")] = 5,
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the work a round.")] = False,
    peer: Annotated[
        str | None, typer.Option(metavar="NAME", help="An engine measured beside: dbos.")
    ] = None,
    folder: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the files are: on the disk that counts.")
    ] = Path("."),
    store: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A PostgreSQL instead; a database is made there."),
    ] = None,
    json: Json = False,
) -> None:
    """Measure steps per second on this machine: SQLite, every commit on the disk.

    W1 W1b-50 W1b-600 W1b-2000 W2 W3 W3-http W4 W4-http W4-http-100 W5-light W5-heavy, what must
    not grow: length memory waiting items patterns, and how soon one is woken: timers found. Files
    are made in the working directory, and removed. With --json the last line of stdout is the
    answer, all of it.
    """
    from ostinato.cli.bench.processes import ended_in_order
    from ostinato.cli.bench.rounds import measured
    from ostinato.cli.bench.scale import Scale
    from ostinato.cli.bench.summary import tell

    names = _chosen(workloads or ["W1"])
    scale = Scale().quick if quick else Scale()
    with ended_in_order():
        beside = _peer(peer)
        answer = measured(names, rounds, scale, beside, folder.resolve(), store)
    answer["quick"] = quick
    if peer is not None and beside is None:
        for name in names:
            answer[name][f"{peer}_sqlite"] = None
    if json:
        print(json_text.dumps(answer, ensure_ascii=False, allow_nan=False))
    else:
        tell(answer, names)


def _chosen(names: list[str]) -> list[str]:
    from ostinato.cli.bench.workloads import WORKLOADS

    if "all" in names:
        return list(WORKLOADS)
    unknown = [name for name in names if name not in WORKLOADS]
    if unknown:
        known = ", ".join(WORKLOADS)
        raise Stop(f"no workload {unknown[0]!r}", hint=f"there are {known}", code=USAGE)
    return list(dict.fromkeys(names))


def _peer(name: str | None) -> Peer | None:
    from ostinato.cli import output
    from ostinato.cli.bench.environment import Unobtainable
    from ostinato.cli.bench.peers import PEERS

    if name is None:
        return None
    if name not in PEERS:
        raise Stop(f"no peer {name!r}", hint=f"there are {', '.join(PEERS)}", code=USAGE)
    try:
        PEERS[name].make()
    except Unobtainable as error:
        output.note(f"{name} cannot be had here, so it is left out: {error}")
        return None
    return PEERS[name]
