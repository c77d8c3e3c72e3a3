"""What a dead process left behind: its runs go on here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from ostinato.core import events as e
from ostinato.core.cloudevents import Event
from ostinato.core.run_ids import partition_of
from ostinato.ports import DamagedEvent, Page, Partitions, RunQuery, Storage, Wait
from ostinato.runtime.damaged import Bury
from ostinato.runtime.engine import Engine
from ostinato.runtime.inbox import encoded
from ostinato.runtime.incidents import Recheck
from ostinato.runtime.posts import Tell
from ostinato.telemetry.logger import logger

log = logger("ostinato.takeover")


async def take_over(
    engine: Engine, partitions: Partitions | None = None, *, orphans: bool = True
) -> int:
    """Post to every run in these partitions that had work in hands. ``orphans``: and to any run
    that missed an event, for whoever had taken that in may have told nobody. Where a read fails,
    nothing is posted.
    """
    storage = engine.storage
    runs = await storage.busy_runs(partitions)
    missed = await storage.missed() if orphans else []
    in_repair = [run_id async for run_id in _in_repair(storage)]
    engine.post_first([Tell(run_id, e.TakenOver()) for run_id in runs])  # then what begins here
    _tell_missed(engine, missed)
    busy = set(runs)
    for run_id in in_repair:
        if run_id not in busy and (partitions is None or partition_of(run_id) in partitions):
            engine.post(Recheck(run_id))
    if runs:
        log.info("takeover.runs", runs=len(runs))
    return len(runs)


def _tell_missed(engine: Engine, missed: Iterable[tuple[Wait, Event]]) -> None:
    for wait, event in missed:
        if isinstance(event, DamagedEvent):
            engine.post(Bury(event))
        else:
            engine.post(Tell(wait.run_id, e.Arrived(wait.key, encoded(event))))


async def _in_repair(storage: Storage) -> AsyncIterator[str]:
    query, cursor = RunQuery(waiting_for="repair"), None
    while page := await storage.runs(query, Page(500, cursor)):
        for head in page:
            yield head.run_id
        cursor = page[-1].run_id
