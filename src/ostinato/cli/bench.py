"""``ostinato bench``: workloads through the whole engine, and other engines beside it."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from ostinato import __version__
from ostinato.cli import output
from ostinato.cli.failure import USAGE, Stop
from ostinato.cli.options import Json
from ostinato.cli.peers import PEERS, Peer, Unobtainable
from ostinato.cli.workloads import WORKLOADS, Scale, Workload, measure

OURS = "ostinato_sqlite"
Rounds = dict[str, list[dict[str, float]]]
"""The figures of each round, by engine."""


def bench(
    workloads: Annotated[
        list[str] | None,
        typer.Argument(metavar="[W]…", help=f"Of {', '.join(WORKLOADS)}, or `all`.  [default: W1]"),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How many, alternating with the peer.")] = 5,
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the work a round.")] = False,
    peer: Annotated[
        str | None, typer.Option(metavar="NAME", help=f"Measured beside: {', '.join(PEERS)}.")
    ] = None,
    folder: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the files are: on the disk that counts.")
    ] = Path("."),
    json: Json = False,
) -> None:
    """Measure steps per second on this machine: SQLite, every commit on the disk.

    A file is made in the working directory for each round, and removed after it.
    """
    names = _chosen(workloads or ["W1"])
    beside = _peer(peer)
    scale = Scale().quick if quick else Scale()
    answer: dict[str, Any] = {}
    for name in names:
        measured = _rounds(name, rounds, scale, beside, folder.resolve())
        answer[name] = {"about": WORKLOADS[name].about(scale), **_summary(name, measured)}
    answer |= {"rounds": rounds, "quick": quick, "machine": _machine()}
    if json:
        output.data(answer)
    else:
        _tell(answer, names)


def _chosen(names: list[str]) -> list[str]:
    if "all" in names:
        return list(WORKLOADS)
    unknown = [name for name in names if name not in WORKLOADS]
    if unknown:
        known = ", ".join(WORKLOADS)
        raise Stop(f"no workload {unknown[0]!r}", hint=f"there are {known}", code=USAGE)
    return list(dict.fromkeys(names))


def _peer(name: str | None) -> Peer | None:
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


def _rounds(name: str, rounds: int, scale: Scale, peer: Peer | None, folder: Path) -> Rounds:
    made: Rounds = {OURS: []}
    for number in range(1, rounds + 1):
        made[OURS].append(measure(WORKLOADS[name], scale, folder))
        if peer is not None and name in peer.sizes:
            made.setdefault(peer.column, []).append(peer.measure(name, folder))
        last = ", ".join(f"{who} {_shown(_first(each[-1]))}" for who, each in made.items())
        output.note(f"{name} round {number} of {rounds}: {last} {WORKLOADS[name].unit}")
    return made


def _first(figures: dict[str, float]) -> float:
    return next(iter(figures.values()))


def _summary(name: str, rounds: Rounds) -> dict[str, Any]:
    """Medians under each engine's name; ``ratio`` is the median of same-round ratios."""
    workload = WORKLOADS[name]
    firsts = {who: [_first(figures) for figures in each] for who, each in rounds.items()}
    summary: dict[str, Any] = {"unit": workload.unit}
    summary |= {who: median(values) for who, values in firsts.items()}
    summary["ratio"] = _ratio(workload, *firsts.values())
    summary["range"] = {who: [min(values), max(values)] for who, values in firsts.items()}
    summary["figures"] = {who: _medians(each) for who, each in rounds.items()}
    return summary


def _ratio(workload: Workload, ours: list[float], theirs: list[float] | None = None) -> Any:
    if theirs is None:
        return None
    pairs = zip(ours, theirs, strict=True)
    return median(b / a if workload.less else a / b for a, b in pairs)


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {name: median(each[name] for each in rounds) for name in rounds[0]}


def _machine() -> dict[str, Any]:
    return {
        "ostinato": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
    }


def _tell(answer: dict[str, Any], names: list[str]) -> None:
    for name in names:
        output.line(f"{name}: {answer[name]['about']}", style="bold")
        for each in _parts(answer[name]):
            output.show(each)
        output.line()
    machine = answer["machine"]
    output.line(
        f"medians of {answer['rounds']} rounds, least and most beside them; SQLite, WAL, "
        f"synchronous=FULL; {machine['cpus']} CPUs, Python {machine['python']}, {machine['system']}"
    )


def _parts(summary: dict[str, Any]) -> list[output.Part]:
    figures, ranges = summary["figures"], summary["range"]
    others = [name for name in figures[OURS] if name != next(iter(figures[OURS]))]
    columns = ["engine", summary["unit"], "range", *map(_label, others)]
    rows = [
        [who, _shown(summary[who]), "–".join(map(_shown, ranges[who]))]
        + [_shown(medians.get(name)) for name in others]
        for who, medians in figures.items()
    ]
    parts: list[output.Part] = [output.table_of(columns, rows)]
    if summary["ratio"] is not None:
        parts.append(output.Line(f"ratio {summary['ratio']:,.1f} (median of same-round ratios)"))
    return parts


def _label(name: str) -> str:
    """``cpu_us_per_step``: µs CPU/step; ``accepted_per_second``: accepted/s."""
    if name.startswith("cpu_us_per_"):
        return f"µs CPU/{name.removeprefix('cpu_us_per_')}"
    if name.endswith("_ms"):
        return f"ms {name.removesuffix('_ms')}"
    return name.replace("_per_second", "/s")


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:,.3g}"
