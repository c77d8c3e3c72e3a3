"""Many seeds on all cores. What comes back is a tally; a red seed can be played again alone."""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from itertools import repeat
from typing import TYPE_CHECKING

from ostinato.testing.simulation.aims import RING
from ostinato.testing.simulation.outcome import simulate
from ostinato.testing.simulation.plan import Plan, aim_of_seed, plan_of
from ostinato.testing.simulation.tally import Tally

if TYPE_CHECKING:
    from ostinato.testing.simulation.database import Database

AGAIN = 6
"""Seeds more that aim at a point that was missed: moments are short, and chance is chance."""

LOT = 25
"""Seeds that a worker plays at a time; its garbage is collected between two lots."""


def database_for(plans: Sequence[Plan], server: str) -> AbstractContextManager[Database | None]:
    """Where those of them play that are on PostgreSQL. ``server`` is a URL."""
    if not server or all(plan.store != "postgres" for plan in plans):
        return nullcontext()
    from ostinato.testing.simulation.database import database

    return database(server)


def play_lot(seeds: Sequence[int], store: str = "", server: str = "") -> Tally:
    plans = [plan_of(seed, store) for seed in seeds]
    with database_for(plans, server) as database:
        return _played(plans, database)


def _played(plans: Sequence[Plan], database: Database | None) -> Tally:
    tally, started = Tally(), time.process_time()
    collecting = gc.isenabled()
    gc.disable()
    try:
        for plan in plans:
            tally.add(simulate(plan, database))
    finally:
        gc.collect()
        if collecting:
            gc.enable()
    tally.cpu = time.process_time() - started
    return tally


def play(
    first: int,
    count: int,
    workers: int | None = None,
    heard: Callable[[Tally], None] | None = None,
    *,
    store: str = "",
    server: str = "",
) -> Tally:
    """``heard`` is told of the tally so far, after each lot. ``store`` is that of ``plan_of``."""
    tally = Tally()
    workers = workers or os.cpu_count() or 1
    for lot in _lots(first, count, workers, store, server):
        tally.join(lot)
        if heard is not None:
            heard(tally)
    return tally


def play_missed(tally: Tally, first: int, *, store: str = "", server: str = "") -> None:
    """Aim again at each point that no seed has met, until one does: by seeds from ``first`` on."""
    left = Counter(dict.fromkeys(tally.missed, AGAIN))
    for seed in range(first, first + (AGAIN + 1) * RING):
        aim = aim_of_seed(seed)
        if aim is not None and left[aim[1]] > 0 and aim[1] not in tally.covered:
            left[aim[1]] -= 1
            tally.join(play_lot([seed], store, server))


def _lots(first: int, count: int, workers: int, store: str, server: str) -> Iterator[Tally]:
    seeds = range(first, first + count)
    lots = [seeds[at : at + LOT] for at in range(0, count, LOT)]
    given = (lots, repeat(store), repeat(server))
    if workers == 1:
        yield from map(play_lot, *given)
        return
    fresh = multiprocessing.get_context("spawn")  # a fork would take threads of ours along
    with ProcessPoolExecutor(workers, mp_context=fresh) as pool:
        yield from pool.map(play_lot, *given)
