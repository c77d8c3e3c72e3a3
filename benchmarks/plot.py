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

LOOKS = {
    "ostinato": ("#0b6e4f", "o", "Ostinato"),
    "dbos": ("#c1440e", "D", "DBOS"),
    "restate": ("#3a5fa8", "s", "Restate"),
}
"""By the first word of a column."""
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
        ours, *peers = (who for who in each["figures"] if looks(who))
        ratios = each.get("ratios") or dict.fromkeys(peers[:1], each["ratio"])
        for peer in peers:
            between(axes, height, each[ours], each[peer], ratios[peer])
        for who in (ours, *peers):
            colour, marker, _ = looks(who)
            axes.plot(each["range"][who], [height] * 2, color=colour, linewidth=3, alpha=0.35)
            axes.plot(each[who], height, marker, color=colour, markersize=7)


def looks(who):
    return LOOKS.get(who.partition("_")[0])


def between(axes, height, ours, theirs, ratio):
    """A thin line from one to the other, with the ratio above theirs."""
    axes.plot([ours, theirs], [height] * 2, color="#999999", linewidth=0.8, linestyle=":")
    text = f"{ratio:,.0f} ×" if ratio >= 10 else f"{ratio:,.1f} ×"
    axes.annotate(
        text, (theirs, height), (0, 6), textcoords="offset points", ha="center", fontsize=9
    )


def draw(answer, target):
    panels = {title: rows(answer, mark) for title, mark in PANELS.items()}
    shown = [row for found in panels.values() for row in found]
    heights = [max(1, len(found)) for found in panels.values()]
    figure, axes = pyplot.subplots(
        2, 1, figsize=(8, 1.6 + 0.55 * sum(heights)), height_ratios=heights, layout="constrained"
    )
    for axis, (title, found) in zip(axes, panels.items(), strict=True):
        panel(axis, title, found)
    handles = [
        pyplot.Line2D([], [], color=colour, marker=marker, linestyle="", label=label)
        for name, (colour, marker, label) in LOOKS.items()
        if any(who.partition("_")[0] == name for _, each in shown for who in each["figures"])
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=3, frameon=False)
    metadata = {"Date": None} if target.suffix == ".svg" else None
    figure.savefig(target, metadata=metadata, dpi=110)
    if target.suffix == ".svg":  # no blanks at the end of lines
        lines = target.read_text().splitlines()
        target.write_text("\n".join(line.rstrip() for line in lines) + "\n")


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
