"""``python -m ostinato.testing.simulation``: play seeds, and show what a red one needs to be red.

Exit 0 when every promise was kept, 1 when a rule was broken, 3 when crash points were missed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

from ostinato.testing.simulation.fleet import database_for, play, play_missed
from ostinato.testing.simulation.outcome import Outcome, simulate
from ostinato.testing.simulation.plan import ANY, STORES, plan_of
from ostinato.testing.simulation.shrinking import shrink
from ostinato.testing.simulation.tally import Tally

SHOWN = 3
"""Red seeds that are made small and shown."""

ENOUGH = 0.97
"""The share of crash points that a full run must cover."""

FULL = 520
"""Seeds from which on the coverage is judged."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _options()
    options = parser.parse_args(arguments)
    if options.store == "postgres" and not options.server:
        parser.error("a store on PostgreSQL needs --server postgresql://…")
    options.store = options.store or (ANY if options.server else "")
    return _many(options) if options.seed is None else _one(options)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many (SEEDS=)")
    parser.add_argument("--first", type=int, default=0, help="from which one on (FIRST=)")
    parser.add_argument(
        "--seed", type=int, help="only this one, with its trace when it is red (SEED=)"
    )
    parser.add_argument("--trace", action="store_true", help="show the trace of a green seed too")
    parser.add_argument("--store", choices=STORES, help="of all seeds; else each seed says which")
    parser.add_argument(
        "--server",
        default="",
        help="URL of a PostgreSQL for those seeds whose store is there; a database is made on it",
    )
    parser.add_argument("--jobs", type=int, help="processes at once; all cores when not given")
    return parser


def say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _one(options: argparse.Namespace) -> int:
    plan = plan_of(options.seed, options.store)
    with database_for([plan], options.server) as database:
        outcome = simulate(plan, database)
    if outcome.broken:
        show(outcome, options.server)
        return 1
    if options.trace:
        say(str(outcome.plan), "", *trace_of(outcome))
    say(f"seed {plan.seed}: every promise was kept; digest {outcome.digest}")
    return 0


def _many(options: argparse.Namespace) -> int:
    started = time.monotonic()
    heard = _progress(options.seeds, started)
    where = {"store": options.store, "server": options.server}
    tally = play(options.first, options.seeds, options.jobs, heard, **where)
    if options.seeds >= FULL:
        play_missed(tally, options.first + options.seeds, **where)
    seconds = time.monotonic() - started
    say("", *tally.table(), "")
    for seed in sorted(tally.red)[:SHOWN]:
        show_seed(seed, **where)
    say(f"{tally.seeds:,} seeds in {seconds:,.0f} s, {tally.seeds / seconds:,.0f} a second; "
        f"{1_000 * tally.cpu / tally.seeds:.0f} ms of CPU each; red: "
        + (", ".join(map(str, sorted(tally.red))) or "none"))  # fmt: skip
    if tally.red:
        return 1
    return 3 if options.seeds >= FULL and tally.coverage < ENOUGH else 0


def _progress(count: int, started: float) -> Callable[[Tally], None]:
    """On a terminal a line that grows old in place, elsewhere a line now and then."""
    in_place, told = sys.stdout.isatty(), [0]

    def heard(tally: Tally) -> None:
        if not in_place and tally.seeds - told[0] < count / 10:
            return
        told[0] = tally.seeds
        rate = tally.seeds / (time.monotonic() - started)
        line = (
            f"{tally.seeds:,} of {count:,} seeds, {rate:,.0f} a second, "
            f"{tally.coverage:.1%} of the crash points, {len(tally.red)} red"
        )
        sys.stdout.write(f"\r{line}" if in_place else f"{line}\n")
        sys.stdout.flush()

    return heard


def show_seed(seed: int, store: str = "", server: str = "") -> None:
    """Play a red one again, and show it."""
    plan = plan_of(seed, store)
    with database_for([plan], server) as database:
        outcome = simulate(plan, database)
    show(outcome, server)


def show(outcome: Outcome, server: str = "") -> None:
    """The rules that broke, the least plan that breaks the first of them, and its trace."""
    seed, store = outcome.plan.seed, outcome.plan.store
    say(f"seed {seed} breaks {', '.join(sorted(outcome.rules))}; looking for the least plan …")
    with database_for([outcome.plan], server) as database:
        least = shrink(outcome, partial(simulate, database=database))
    say(
        "",
        f"{len(least.plan.actions)} of {len(outcome.plan.actions)} actions are enough:",
        str(least.plan),
        "",
        *trace_of(least),
        "",
        *map(str, least.broken[:10]),
        "",
        f"again: make simulate SEED={seed} ARGS='--store {store}'",
        "",
    )


def trace_of(outcome: Outcome) -> list[str]:
    """A line per thing seen: virtual seconds, what, and the first line of the text."""
    return [
        f"{at:10.4f}  {what:8} {text.splitlines()[0] if text else ''}"
        for at, what, text in outcome.lines
    ]


if __name__ == "__main__":
    sys.exit(main())
