"""The page of a measurement: python -m benchmarks.report ANSWER FOLDER.

ANSWER is what `ostinato bench … --json` has printed. FOLDER gets sqlite.md (the page), sqlite.json
(the answer with every round) and sqlite.svg (the plot, drawn in an environment of its own).
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.targets import OURS, Answer, judged
from ostinato.cli.bench.environment import Environment, Unobtainable

PEER = "dbos_sqlite"
NAMES = {OURS: "Ostinato", PEER: "DBOS"}
PLOT = Environment(Path("requirements/bench.txt"), Path(".cache/plot"))

PAGE = """\
# Ostinato and DBOS on SQLite

Written by `{command}`; [how to measure, and how to read this](../how-to/benchmarks.md). Every \
round is in [sqlite.json](sqlite.json).

{machine}

Medians of {rounds} alternating rounds, least and most in brackets; the ratio is the median of \
the ratios within each round, and above 1 when we do more or take less time. CPU is of all \
processes. Commits are of transactions that write.

![Each workload, Ostinato beside DBOS, on a logarithmic scale](sqlite.svg)

{table}

## Targets

{met} of {count} are met here.

{targets}

## All figures

Medians of Ostinato's rounds.

{figures}
"""

COMMAND = "make bench"
SLOW_SYNC = 1.0
"""Milliseconds: beyond it times are those of the disk."""


def page(answer: Answer) -> str:
    names = measured(answer)
    judgement = list(judged(answer))
    return PAGE.format(
        command=COMMAND,
        machine="\n".join(machine(answer)),
        rounds=answer["rounds"],
        table=table(["workload", *_columns()], [_row(name, answer[name]) for name in names]),
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
    dbos = f", DBOS {there['dbos']}" if "dbos" in there else ""
    yield f"- {there['date']}: Ostinato {there['ostinato']}{commit}{dbos}"
    yield (
        f"- Python {there['python']}, SQLite {sqlite3.sqlite_version}: ours in WAL mode with "
        "synchronous=FULL, DBOS as it comes (rollback journal, synchronous=FULL)"
    )
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
    if there["load_after"] > there["cpus"] or syncs[len(syncs) // 2] > SLOW_SYNC:
        yield (
            "- **others used the machine or its disk meanwhile**: read CPU and what is counted, "
            "not times; a slow disk also flatters who commits less"
        )


def _columns() -> list[str]:
    return ["counts", *NAMES.values(), "ratio", "µs CPU", "commits a run", "peak MiB", "disk ms"]


def _row(name: str, each: Answer) -> list[str]:
    ratio = each.get("ratio")
    return [
        name,
        each["unit"],
        *(_median(each, who) for who in NAMES),
        "–" if ratio is None else f"**{shown(ratio)}**",
        *(_both(each, key) for key in ("cpu_us_per_", "commits_per_run", "peak_mib", "sync_ms")),
    ]


def _median(each: Answer, who: str) -> str:
    if each.get(who) is None:
        return "–"
    least, most = map(shown, each["range"][who])
    return f"{shown(each[who])} [{least}–{most}]"


def _both(each: Answer, key: str) -> str:
    """Ours, and the peer's behind a stroke; CPU with what it is counted by."""
    found, unit = [], ""
    for who in NAMES:
        for name, value in each["figures"].get(who, {}).items():
            if name.startswith(key):
                found.append(shown(value))
                unit = name.removeprefix(key)
    return " / ".join(found) + (f" a {unit}" if unit and found else "") or "–"


def _target_row(target, value: float, met: bool) -> list[str]:
    sign = "≥" if target.least else "≤"
    bound = f"{sign} {shown(target.bound)}"
    return [target.workload, target.text, bound, shown(value), "yes" if met else "**no**"]


def _figures(name: str, each: Answer) -> list[str]:
    figures = each["figures"][OURS].items()
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


def write(answer: Answer, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(answer, indent=1, ensure_ascii=False)
    (folder / "sqlite.json").write_text(f"{text}\n")
    (folder / "sqlite.md").write_text(page(answer))


def main(source: str, folder: str) -> None:
    answer = json.loads(Path(source).read_text().strip().splitlines()[-1])
    write(answer, Path(folder))
    draw(Path(folder, "sqlite.json"), Path(folder, "sqlite.svg"))
    missed = [f"{each.workload} {each.text}" for each, _, met in judged(answer) if not met]
    print(f"{folder}/sqlite.md; targets missed: {', '.join(missed) or 'none'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
