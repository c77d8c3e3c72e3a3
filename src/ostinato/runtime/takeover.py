"""What a dead process left behind: its runs go on here."""

from __future__ import annotations

from ostinato.core import events as e
from ostinato.runtime.engine import Engine
from ostinato.runtime.inbox import encoded
from ostinato.runtime.posts import Tell
from ostinato.telemetry.logger import logger

log = logger("ostinato.takeover")


async def take_over(engine: Engine) -> int:
    """Take a new epoch, and post to every run that had work in hands, or missed an event."""
    engine.epoch = await engine.storage.join()
    runs = await engine.storage.busy_runs()
    for run_id in runs:
        engine.post(Tell(run_id, e.TakenOver()))
    for wait, event in await engine.storage.missed():
        engine.post(Tell(wait.run_id, e.Arrived(wait.key, encoded(event))))
    if runs:
        log.info("takeover.runs", runs=len(runs))
    return len(runs)
