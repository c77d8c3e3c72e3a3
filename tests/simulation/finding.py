"""Which seed finds a mutation: that of the last time, those that aim at its code, or any other.

A seed plays otherwise when waits come or go in ``ostinato.runtime``; then the search is longer, and
``python -m tests.simulation.finding`` writes down what it finds (``make mutation-seeds``).
"""

import argparse
import json
import time
from pathlib import Path

from ostinato.testing.simulation.__main__ import FULL, say
from ostinato.testing.simulation.outcome import simulate
from ostinato.testing.simulation.plan import aim_of_seed, plan_of
from ostinato.testing.simulation.points import function_of
from tests.simulation.mutations import MUTATIONS, applied

NEAR = 24
"""So many of those that aim at its module are tried before all others."""

SEEDS = 2_000
"""Within so many seeds each mutation must be found."""

FILE = Path(__file__).with_name("found.json")
"""Mutation → the seed that has found it."""


class NotFound(AssertionError):
    pass


def known():
    return json.loads(FILE.read_text())


def find(mutation, first=None, seeds=SEEDS):
    """The seed that is red by a rule of this mutation, and not without it. Raises ``NotFound``."""
    seen = set()
    last = [] if first is None else [first]
    for seed in dict.fromkeys((*last, *near(mutation), *range(seeds))):
        with applied(mutation):
            rules = rules_of(seed)
        seen |= rules
        found = rules & mutation.rules
        if found and not found & rules_of(seed):
            return seed
    raise NotFound(f"{seeds} seeds stay green, or break other rules: {sorted(seen)}")


def near(mutation):
    """Seeds whose crash is where the mutation is: its function, then its module or its namesake."""
    module, _, function = mutation.where.rpartition(":")
    aims = [(aim[1], seed) for seed in range(FULL) if (aim := aim_of_seed(seed)) is not None]
    there = [one for one in aims if one[0][0] == module.rpartition(".")[2]]
    there.sort(key=lambda one: function_of(one[0]) != function)
    return [seed for _, seed in there][:NEAR]


def rules_of(seed):
    return simulate(plan_of(seed)).rules


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Find each mutation, and write down its seed.")
    parser.add_argument("--only", default="", help="those with this text in their name")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="give up after so many")
    options, before = parser.parse_args(arguments), known()
    names = list(map(str, MUTATIONS))
    found = {name: seed for name, seed in before.items() if name in names}
    for mutation in [one for one in MUTATIONS if options.only in str(one)]:
        name, began = str(mutation), time.perf_counter()
        try:
            found[name] = find(mutation, found.get(name), options.seeds)
            say(f"{found[name]:6}  {time.perf_counter() - began:5.1f} s  {name}")
        except NotFound as error:
            found.pop(name, None)
            say(f"     -  {time.perf_counter() - began:5.1f} s  {name}: {error}")
        _write({name: found[name] for name in names if name in found})
    return len(names) - len(found) if not options.only else 0


def _write(found):
    FILE.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
