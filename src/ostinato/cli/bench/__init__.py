"""``ostinato bench``: workloads through the whole engine, and other engines beside it.

workloads  the table of what is measured      scale      how much of each a round does
inside     … on an App in a process           documents  the workflows that are measured
served     … over HTTP                        server     the server process; load  who sends to it
shape      … what must not grow               meter      time, CPU, commits, memory
crowd      … among many patterns              waits      … how soon one is woken
crew       … a worker beside the server       fleet      … several servers on one database
idle       … with nothing to do               tap        what is said to the database
rounds     ours and the peers' in turn        one        one round, a process of its own
processes  a round leaves nothing behind      peers      the engines beside it
summary    medians, ranges, ratios            machine    what it was measured on
environment  packages that are not ours       binary     programs that are not
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
        list[str] | None,
        typer.Option(metavar="NAME", help="An engine measured beside: dbos, restate, pgbench."),
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

    With --store also: W5-worker W5-worker-1 (a worker beside the server), fleet-busy, fleet-noop
    (several servers beside one), idle (what one asks that has nothing to do).
    """
    from ostinato.cli.bench.processes import ended_in_order
    from ostinato.cli.bench.rounds import measured
    from ostinato.cli.bench.scale import Scale
    from ostinato.cli.bench.summary import tell

    names = _chosen(workloads or ["W1"], store)
    scale = Scale().quick if quick else Scale()
    with ended_in_order():
        peers = _peers(peer or [], store)
        beside = [each for each, there in peers.items() if there]
        answer = measured(names, rounds, scale, beside, folder.resolve(), store)
    answer["quick"] = quick
    for missing in peers.keys() - beside:
        for name in names:
            answer[name][missing.column(store)] = None
    if json:
        print(json_text.dumps(answer, ensure_ascii=False, allow_nan=False))
    else:
        tell(answer, names)


def _chosen(names: list[str], store: str | None) -> list[str]:
    from ostinato.cli.bench.workloads import WORKLOADS

    if "all" in names:
        return [name for name, each in WORKLOADS.items() if store or not each.server]
    unknown = [name for name in names if name not in WORKLOADS]
    if unknown:
        known = ", ".join(WORKLOADS)
        raise Stop(f"no workload {unknown[0]!r}", hint=f"there are {known}", code=USAGE)
    for name in names:
        if WORKLOADS[name].server and store is None:
            hint = "name one: --store postgresql://user@host/database"
            raise Stop(f"{name} is about a PostgreSQL", hint=hint, code=USAGE)
    return list(dict.fromkeys(names))


def _peers(names: list[str], store: str | None) -> dict[Peer, bool]:
    """Each with whether it can be had here."""
    from ostinato.cli import output
    from ostinato.cli.bench.environment import Unobtainable
    from ostinato.cli.bench.peers import PEERS

    found = {}
    for name in dict.fromkeys(names):
        if name not in PEERS:
            raise Stop(f"no peer {name!r}", hint=f"there are {', '.join(PEERS)}", code=USAGE)
        try:
            PEERS[name].make(store)
        except Unobtainable as error:
            output.note(f"{name} cannot be had here, so it is left out: {error}")
            found[PEERS[name]] = False
        else:
            found[PEERS[name]] = True
    return found
