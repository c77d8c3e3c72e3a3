"""Many seeds on all cores. What comes back is a tally; a red seed can be played again alone."""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor

from ostinato.testing.simulation.outcome import simulate
from ostinato.testing.simulation.plan import plan_of
from ostinato.testing.simulation.tally import Tally

LOT = 25
"""Seeds that a worker plays at a time; its garbage is collected between two lots."""


def play_lot(first: int, count: int) -> Tally:
    tally, started = Tally(), time.process_time()
    collecting = gc.isenabled()
    gc.disable()
    try:
        for seed in range(first, first + count):
            tally.add(simulate(plan_of(seed)))
    finally:
        gc.collect()
        if collecting:
            gc.enable()
    tally.cpu = time.process_time() - started
    return tally


def play(
    first: int, count: int, workers: int | None = None, heard: Callable[[Tally], None] | None = None
) -> Tally:
    """``heard`` is told of the tally so far, after each lot."""
    tally = Tally()
    workers = workers or os.cpu_count() or 1
    for lot in _lots(first, count, workers):
        tally.join(lot)
        if heard is not None:
            heard(tally)
    return tally


def _lots(first: int, count: int, workers: int) -> Iterator[Tally]:
    starts = range(first, first + count, LOT)
    sizes = [min(LOT, first + count - start) for start in starts]
    if workers == 1:
        yield from map(play_lot, starts, sizes)
        return
    fresh = multiprocessing.get_context("spawn")  # a fork would take threads of ours along
    with ProcessPoolExecutor(workers, mp_context=fresh) as pool:
        yield from pool.map(play_lot, starts, sizes)
