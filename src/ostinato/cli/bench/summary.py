"""Medians, ranges and same-round ratios of the rounds; and how people see them."""

from __future__ import annotations

from statistics import median
from typing import Any

from ostinato.cli import output
from ostinato.cli.bench.meter import Figures
from ostinato.cli.bench.workloads import Workload

OURS = "ostinato_sqlite"
ON_SERVER = "ostinato_postgresql"
Rounds = dict[str, list[Figures]]
"""The figures of each round, by engine, ours first."""

_MOST = 6  # figures beside the first that fit on a terminal


def ours(store: str | None) -> str:
    return OURS if store is None else ON_SERVER


def first(figures: Figures) -> float:
    """The figure that counts."""
    return next(iter(figures.values()))


def summary(workload: Workload, rounds: Rounds) -> dict[str, Any]:
    """Medians under each engine's name; ``ratio`` is the median of same-round ratios with the
    first peer, ``ratios`` has those with each."""
    firsts = {who: [first(figures) for figures in each] for who, each in rounds.items()}
    answer: dict[str, Any] = {"unit": workload.unit, "less": workload.less}
    answer |= {who: median(values) for who, values in firsts.items()}
    mine, *_ = firsts.values()
    ratios = {who: _ratio(workload, mine, each) for who, each in list(firsts.items())[1:]}
    answer["ratio"] = next(iter(ratios.values()), None)
    answer["ratios"] = ratios
    answer["range"] = {who: [min(values), max(values)] for who, values in firsts.items()}
    answer["figures"] = {who: _medians(each) for who, each in rounds.items()}
    answer["each"] = rounds
    return answer


def _ratio(workload: Workload, ours: list[float], theirs: list[float]) -> float:
    pairs = zip(ours, theirs, strict=True)
    return median(b / a if workload.less else a / b for a, b in pairs)


def _medians(rounds: list[Figures]) -> Figures:
    return {name: median(each[name] for each in rounds) for name in rounds[0]}


def tell(answer: dict[str, Any], names: list[str]) -> None:
    for name in names:
        output.line(f"{name}: {answer[name]['about']}", style="bold")
        for each in _parts(answer[name]):
            output.show(each)
        output.line()
    machine = answer["machine"]
    output.line(
        f"medians of {answer['rounds']} rounds, least and most beside them; "
        f"{machine['store']}; {machine['cpus']} CPUs, Python {machine['python']}, "
        f"{machine['system']}; the disk syncs in {shown(machine['sync_ms'])} ms"
    )


def _parts(answer: dict[str, Any]) -> list[output.Part]:
    figures, ranges = answer["figures"], answer["range"]
    mine = next(iter(figures.values()))
    others = [name for name in mine if name != next(iter(mine))][:_MOST]
    columns = ["engine", answer["unit"], "range", *map(_label, others)]
    rows = [
        [who, shown(answer[who]), "–".join(map(shown, ranges[who]))]
        + [shown(medians.get(name)) for name in others]
        for who, medians in figures.items()
    ]
    parts: list[output.Part] = [output.table_of(columns, rows)]
    for who, ratio in answer["ratios"].items():
        parts.append(output.Line(f"× {who}: {ratio:,.1f} (median of same-round ratios)"))
    return parts


def _label(name: str) -> str:
    """``cpu_us_per_step``: µs CPU/step; ``accepted_per_second``: accepted/s."""
    if name.startswith("cpu_us_per_"):
        return f"µs CPU/{name.removeprefix('cpu_us_per_')}"
    for unit in ("ms", "mib", "s"):
        if name.endswith(f"_{unit}"):
            said = {"mib": "MiB"}.get(unit, unit)
            return f"{said} {name.removesuffix(f'_{unit}').replace('_', ' ')}"
    return name.replace("_per_second", "/s").replace("_", " ")


def shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:,.3g}"
