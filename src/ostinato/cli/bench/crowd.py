"""Many patterns on one type of event: what an event costs that fits one of them.

`benchmarks/pattern_index.py` has every kind of pattern; here are those that cost the most.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from ostinato.cli.bench.meter import Figures, peak_mib
from ostinato.cli.bench.scale import Scale
from ostinato.core.patterns import PatternIndex

FEW = 10
EVENTS = 1_000
TIMES = 5

_Kind = Callable[[int], dict[str, Any]]
KINDS: dict[str, _Kind] = {
    "exact": lambda n: {"data": {"id": [f"id-{n}"]}},
    "range": lambda n: {"data": {"n": [{"numeric": [">=", n, "<", n + 1]}]}},
    "prefix": lambda n: {"data": {"file": [{"prefix": f"logs/{n}/"}]}},
    "several": lambda n: {"data": {"n": [n], "tier": ["gold"], "to": [{"exists": False}]}},
}


async def patterns(place: Path, scale: Scale) -> Figures:
    figures: Figures = {}
    times = []
    for name, kind in KINDS.items():
        few, many = _cost(kind, FEW), _cost(kind, scale.patterns)
        times.append(many / few)
        figures |= {f"cpu_us_{name}_of_few": few, f"cpu_us_{name}_of_many": many}
    return {"times_few": max(times), **figures, "peak_mib": peak_mib()}


def _cost(kind: _Kind, count: int) -> float:
    """µs of CPU an event."""
    index: PatternIndex[int] = PatternIndex()
    for n in range(count):
        index.add(n, {"type": ["T"], **kind(n)})
    events = [_event(n * 7 % count) for n in range(EVENTS)]
    if any(len(list(index.match(event))) != 1 for event in events):
        raise RuntimeError("an event fits one pattern, no other number of them")
    return median(_matched(index, events) for _ in range(TIMES)) / EVENTS * 1e6


def _matched(index: PatternIndex[int], events: list[dict[str, Any]]) -> float:
    begun = time.process_time()
    for event in events:
        index.match(event)
    return time.process_time() - begun


def _event(n: int) -> dict[str, Any]:
    data = {"id": f"id-{n}", "n": n, "file": f"logs/{n}/app.txt", "tier": "gold"}
    return {"type": "T", "source": "s", "data": data}
