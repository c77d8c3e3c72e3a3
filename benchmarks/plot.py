"""The plot of a measurement: python -m benchmarks.plot ANSWER.json TARGET.svg (or .png).

Runs in the environment of requirements/bench.txt. The same answer gives the same bytes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot

OURS, PEER = "ostinato_sqlite", "dbos_sqlite"
LOOKS = {OURS: ("#0b6e4f", "o", "Ostinato"), PEER: ("#c1440e", "D", "DBOS")}
PANELS = {"per second: more is better": "/s", "milliseconds: less is better": "ms "}

mpl.rcParams |= {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "ostinato",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def rows(answer, mark):
    """The workloads whose unit has the mark, the last at the top."""
    return [
        (name, each)
        for name, each in answer.items()
        if isinstance(each, dict) and mark in each.get("unit", "")
    ][::-1]


def panel(axes, title, found):
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xscale("log")
    axes.set_yticks(range(len(found)), [f"{name}\n{each['unit']}" for name, each in found])
    axes.set_ylim(-0.6, len(found) - 0.4)
    axes.grid(axis="x", color="#e3e3e3", linewidth=0.8)
    axes.set_axisbelow(True)
    for height, (_, each) in enumerate(found):
        between(axes, height, each)
        for who, (colour, marker, _) in LOOKS.items():
            if each.get(who) is not None:
                axes.plot(each["range"][who], [height] * 2, color=colour, linewidth=3, alpha=0.35)
                axes.plot(each[who], height, marker, color=colour, markersize=7)


def between(axes, height, each):
    """A thin line from one to the other with the ratio above it."""
    if not each.get("ratio"):
        return
    ends = [each[OURS], each[PEER]]
    axes.plot(ends, [height] * 2, color="#999999", linewidth=0.8, linestyle=":")
    middle = (ends[0] * ends[1]) ** 0.5
    text = f"{each['ratio']:,.0f} ×" if each["ratio"] >= 10 else f"{each['ratio']:,.1f} ×"
    axes.annotate(
        text, (middle, height), (0, 4), textcoords="offset points", ha="center", fontsize=9
    )


def draw(answer, target):
    panels = {title: rows(answer, mark) for title, mark in PANELS.items()}
    heights = [max(1, len(found)) for found in panels.values()]
    figure, axes = pyplot.subplots(
        2, 1, figsize=(8, 1.6 + 0.55 * sum(heights)), height_ratios=heights, layout="constrained"
    )
    for axis, (title, found) in zip(axes, panels.items(), strict=True):
        panel(axis, title, found)
    handles = [
        pyplot.Line2D([], [], color=colour, marker=marker, linestyle="", label=label)
        for colour, marker, label in LOOKS.values()
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=2, frameon=False)
    metadata = {"Date": None} if target.suffix == ".svg" else None
    figure.savefig(target, metadata=metadata, dpi=110)
    if target.suffix == ".svg":  # no blanks at the end of lines
        lines = target.read_text().splitlines()
        target.write_text("\n".join(line.rstrip() for line in lines) + "\n")


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
