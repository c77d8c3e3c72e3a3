"""What one event costs among many patterns on its type: python benchmarks/pattern_index.py [--json]

Each row is a way in which the patterns differ; the event fits exactly one of them. The columns are
how many patterns there are: µs per event, the median of five rounds, and 10,000 against 10.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from ostinato.core.patterns import PatternIndex

Pattern = dict[str, Any]

SIZES = (10, 100, 1_000, 10_000)
ROUNDS = 5
EVENTS = 2_000


def on_type(**data: Any) -> Pattern:
    return {"type": ["T"], "data": data}


def either(n: int) -> Pattern:
    return on_type(**{"$or": [{"id": [f"id-{n}"]}, {"n": [n], "x": [1]}]})


def two_fields(n: int) -> Pattern:
    return on_type(a=[n // 100], b=[n % 100], tier=["gold"]) | {"source": ["s"]}


def beside_negations(n: int) -> Pattern:
    return on_type(id=[f"id-{n}"], tier=[{"anything-but": "free"}], to=[{"exists": False}])


KINDS: dict[str, Callable[[int], Pattern]] = {
    "exact text": lambda n: on_type(id=[f"id-{n}"]),
    "numeric =": lambda n: on_type(n=[{"numeric": ["=", n]}]),
    "numeric range": lambda n: on_type(n=[{"numeric": [">=", n, "<", n + 1]}]),
    "prefix": lambda n: on_type(file=[{"prefix": f"logs/{n}/"}]),
    "suffix": lambda n: on_type(file=[{"suffix": f"/{n}.txt"}]),
    "wildcard": lambda n: on_type(file=[{"wildcard": f"logs/{n}/*"}]),
    "ignoring case": lambda n: on_type(id=[{"equals-ignore-case": f"ID-{n}"}]),
    "cidr": lambda n: on_type(ip=[{"cidr": f"10.{n >> 8}.{n & 255}.0/24"}]),
    "several in a list": lambda n: on_type(id=[f"id-{n}", f"ID-{n}", {"prefix": f"x{n}-"}]),
    "a second field": two_fields,
    "a field of its own": lambda n: on_type(**{f"f{n}": [1]}),
    "a dotted name": lambda n: {"type": ["T"], "data.order.id": [n]},
    "$or": either,
    "beside anything-but": beside_negations,
}


def event_for(n: int) -> dict[str, Any]:
    """Fits the n-th pattern of each kind and no other."""
    data = {"id": f"id-{n}", "n": n, "file": f"logs/{n}/app/{n}.txt", "tier": "gold", f"f{n}": 1}
    data |= {"ip": f"10.{n >> 8}.{n & 255}.7", "a": n // 100, "b": n % 100, "order": {"id": n}}
    return {"type": "T", "source": "s", "data": data}


def index_of(kind: str, size: int) -> PatternIndex[int]:
    index: PatternIndex[int] = PatternIndex()
    for n in range(size):
        index.add(n, KINDS[kind](n))
    return index


def microseconds(index: PatternIndex[int]) -> float:
    events = [event_for(n % len(index)) for n in range(EVENTS)]
    rounds = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for event in events:
            index.match(event)
        rounds.append(time.process_time() - begun)
    return statistics.median(rounds) / EVENTS * 1e6


def main() -> None:
    table = {}
    print(f"{'patterns':20}" + "".join(f"{size:>9,}" for size in SIZES) + "    ratio")
    for kind in KINDS:
        costs = [microseconds(index_of(kind, size)) for size in SIZES]
        table[kind] = dict(zip(map(str, SIZES), costs, strict=True))
        row = "".join(f"{cost:9.1f}" for cost in costs)
        print(f"{kind:20}{row}{costs[-1] / costs[0]:9.2f}", flush=True)
    if "--json" in sys.argv:
        print(json.dumps(table))


if __name__ == "__main__":
    main()
