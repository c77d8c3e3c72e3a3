"""The page of a measurement: python -m benchmarks.report ANSWER FOLDER.

ANSWER is what `ostinato bench … --json` has printed. FOLDER gets sqlite.md or postgresql.md (the
page), the same with .json (the answer with every round) and .svg (the plot, drawn in an environment
of its own).
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.targets import Answer, is_on_server, judged, ratios
from ostinato.cli.bench.environment import Environment, Unobtainable

PLOT = Environment(Path("requirements/bench.txt"), Path(".cache/plot"))

PAGE = """\
# {title}

Written by `{command}`; [how to measure, and how to read this](../how-to/benchmarks.md). Every \
round is in [{name}.json]({name}.json).

{machine}

Medians of {rounds} alternating rounds, least and most in brackets; the ratio is the median of \
the ratios within each round, and above 1 when we do more or take less time. CPU is of all \
processes{cpu}. Commits are of transactions that write.

![Each workload, Ostinato beside the others, on a logarithmic scale]({name}.svg)

{table}

## Targets

{met} of {count} are met here.

{targets}

## All figures

Medians of Ostinato's rounds.

{figures}
"""


@dataclass(frozen=True)
class Kind:
    """``engines``: what the columns of the answer are called here, ours first."""

    name: str
    title: str
    command: str
    engines: dict[str, str]
    cpu: str = ""


ON_FILE = Kind(
    "sqlite",
    "Ostinato and DBOS on SQLite",
    "make bench",
    {"ostinato_sqlite": "Ostinato", "dbos_sqlite": "DBOS"},
)
ON_SERVER = Kind(
    "postgresql",
    "Ostinato and DBOS on PostgreSQL, and Restate",
    "make bench-pg",
    {"ostinato_postgresql": "Ostinato", "dbos_postgresql": "DBOS", "restate": "Restate"},
    ", those of the database server included",
)
COMMITS = "pgbench_postgresql"

SLOW_SYNC = 1.0
"""Milliseconds: beyond it times are those of the disk."""


def kind_of(answer: Answer) -> Kind:
    return ON_SERVER if is_on_server(answer) else ON_FILE


def page(answer: Answer) -> str:
    names, kind = measured(answer), kind_of(answer)
    judgement = list(judged(answer))
    return PAGE.format(
        title=kind.title,
        name=kind.name,
        command=kind.command,
        cpu=kind.cpu,
        machine="\n".join(machine(answer)),
        rounds=answer["rounds"],
        table=table(
            ["workload", *_columns(kind)], [_row(name, answer[name], kind) for name in names]
        ),
        met=sum(met for _, _, met in judgement),
        count=len(judgement),
        targets=table(
            ["workload", "figure", "target", "measured", "met"],
            [_target_row(*each) for each in judgement],
        ),
        figures=table(
            ["workload", "does", "figures"], [_figures(name, answer[name]) for name in names]
        ),
    )


def measured(answer: Answer) -> list[str]:
    """The names of its workloads."""
    return [name for name, each in answer.items() if isinstance(each, dict) and "figures" in each]


def machine(answer: Answer) -> Iterator[str]:
    there = answer["machine"]
    commit = f" ({there['commit']})" if there["commit"] else ""
    others = {"dbos": "DBOS", "restate": "Restate"}
    beside = "".join(f", {said} {there[name]}" for name, said in others.items() if name in there)
    yield f"- {there['date']}: Ostinato {there['ostinato']}{commit}{beside}"
    yield f"- Python {there['python']}, {_stores(answer)}"
    yield (
        f"- {there['cpus']} × {there['cpu']}, {there['memory_gib']} GiB, {there['system']}; "
        f"load {there['load']} before, {there['load_after']} after"
    )
    syncs = sorted(
        each["sync_ms"]
        for name in measured(answer)
        for rounds in answer[name]["each"].values()
        for each in rounds
    )
    yield (
        f"- the disk makes 4 KiB safe in {shown(syncs[len(syncs) // 2])} ms "
        f"[{shown(syncs[0])}–{shown(syncs[-1])}] (`disk ms`: around each row's rounds); no commit "
        "can be faster"
    )
    yield from _commits(answer)
    if there["load_after"] > there["cpus"] or syncs[len(syncs) // 2] > SLOW_SYNC:
        yield (
            "- **others used the machine or its disk meanwhile**: read CPU and what is counted, "
            "not times; a slow disk also flatters who commits less"
        )


def _stores(answer: Answer) -> str:
    if is_on_server(answer):
        return (
            f"{answer['machine']['store']}, all other settings as they come, on the same machine; "
            "each round of ours and of DBOS has an empty database there. Restate keeps its own "
            "log, as it comes"
        )
    return (
        f"SQLite {sqlite3.sqlite_version}: ours in WAL mode with "
        "synchronous=FULL, DBOS as it comes (rollback journal, synchronous=FULL)"
    )


def _commits(answer: Answer) -> Iterator[str]:
    for name in measured(answer):
        if COMMITS in answer[name]["figures"]:
            each = answer[name]
            one = each["figures"][COMMITS]["commits_per_second_of_one"]
            yield (
                f"- `pgbench`, in the rounds of {name}: {_median(each, COMMITS)} single-row "
                f"commits a second from 8 clients, {shown(one)} from one"
            )


def _columns(kind: Kind) -> list[str]:
    ours, *peers = kind.engines.values()
    both = [column for peer in peers for column in (peer, "ratio")]
    return ["counts", ours, *both, "µs CPU", "commits a run", "peak MiB", "disk ms"]


def _row(name: str, each: Answer, kind: Kind) -> list[str]:
    ours, *peers = kind.engines
    costs = ("cpu_us_per_", "commits_per_run", "peak_mib", "sync_ms")
    return [
        name,
        each["unit"],
        _median(each, ours),
        *(cell for peer in peers for cell in (_median(each, peer), _ratio(each, peer))),
        *(_all(each, key, kind) for key in costs),
    ]


def _ratio(each: Answer, peer: str) -> str:
    ratio = ratios(each).get(peer)
    return "–" if ratio is None else f"**{shown(ratio)}**"


def _median(each: Answer, who: str) -> str:
    if each.get(who) is None:
        return "–"
    least, most = map(shown, each["range"][who])
    return f"{shown(each[who])} [{least}–{most}]"


def _all(each: Answer, key: str, kind: Kind) -> str:
    """Ours, and the peers' behind strokes; CPU with what it is counted by."""
    found, unit = [], ""
    for who in kind.engines:
        for name, value in each["figures"].get(who, {}).items():
            if name.startswith(key) and not name.endswith("_of_one"):
                found.append(shown(value))
                unit = name.removeprefix(key)
    return " / ".join(found) + (f" a {unit}" if unit and found else "") or "–"


def _target_row(target, value: float, met: bool) -> list[str]:
    sign = "≥" if target.least else "≤"
    bound = f"{sign} {shown(target.bound)}"
    return [target.workload, target.text, bound, shown(value), "yes" if met else "**no**"]


def _figures(name: str, each: Answer) -> list[str]:
    figures = next(iter(each["figures"].values())).items()
    return [name, each["about"], ", ".join(f"{key} {shown(value)}" for key, value in figures)]


def table(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"


def draw(answer: Path, target: Path) -> None:
    """Left out with a note where the packages cannot be had."""
    try:
        PLOT.make()
    except Unobtainable as error:
        print(f"no plot: {error}", file=sys.stderr)
        return
    subprocess.run([PLOT.python, "-m", "benchmarks.plot", answer, target], check=True)


def write(answer: Answer, folder: Path) -> Path:
    """The page."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{kind_of(answer).name}.md"
    text = json.dumps(answer, indent=1, ensure_ascii=False)
    path.with_suffix(".json").write_text(f"{text}\n")
    path.write_text(page(answer))
    return path


def main(source: str, folder: str) -> None:
    answer = json.loads(Path(source).read_text().strip().splitlines()[-1])
    path = write(answer, Path(folder))
    draw(path.with_suffix(".json"), path.with_suffix(".svg"))
    missed = [f"{each.workload} {each.text}" for each, _, met in judged(answer) if not met]
    print(f"{path}; targets missed: {', '.join(missed) or 'none'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
