"""A stored run that cannot be loaded waits visibly for a person, and goes on once it can be.

Its history is not touched: the incident is in its head alone. Timers of it that are due are
cleared, so that they stand in nobody's way. A process that starts looks whether the run can be read
again, and so does whatever is posted to it: then its timers are armed anew and its work goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from ostinato.core import events as e
from ostinato.core.decide import armed
from ostinato.core.run_ids import partition_of
from ostinato.ports import Head
from ostinato.runtime.change import Change
from ostinato.runtime.posts import Post, Tell
from ostinato.runtime.resident import Abroad, head_of
from ostinato.telemetry.logger import logger

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine

log = logger("ostinato.engine")


class Unreadable(Post):
    """What ``post`` met: its run becomes an incident, and the timer that it was about goes."""

    __slots__ = ("error", "head", "post")

    def __init__(self, post: Tell, error: Exception) -> None:
        self.answer = None
        self.post = post
        self.error = error
        self.head: Head | None = None

    async def ready(self, engine: Engine) -> None:
        if not engine.territory.has_run(self.post.run_id):
            raise Abroad(partition_of(self.post.run_id))
        self.head = await engine.storage.head(self.post.run_id)

    def dropped(self) -> None:
        """Whoever has the run by now sees for itself."""
        if self.post.fired is not None:
            self.post.dropped()

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        if self.post.fired is not None:
            change.drop_timer(self.post.fired)
        head = self.head
        if head is None or head.ended_at is not None:
            return
        shown = replace(
            head, status="waiting", waiting_for="repair", doing="work", busy=False,
            error_name="Incident", error_message=str(self.error),
        )  # fmt: skip
        if shown != head:
            change.rows.heads[shown.run_id] = shown

    def done(self, result: object) -> None:
        if self.post.fired is not None:
            self.post.done(None)


class Recheck(Tell):
    """A run that waits for repair: if it was unreadable and can be read now, it goes on."""

    __slots__ = ("stored",)

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id, e.TakenOver())
        self.stored: Head | None = None

    async def ready(self, engine: Engine) -> None:
        await super().ready(engine)
        self.stored = await engine.storage.head(self.run_id)

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        state = self.resident.state
        if self.stored == head_of(state):
            return
        self.resident.head = None  # what the store shows is not what the run says
        told = engine.tell(change, self.resident, self.event, now)
        if not state.ended:
            told.commands += armed(state)


def say_unreadable(engine: Engine, post: Tell, error: Exception) -> None:
    """Once per run. A timer that is due is cleared each time: it must block no other."""
    if post.run_id not in engine.unreadable:
        engine.unreadable.add(post.run_id)
        log.error("run.unreadable", run=post.run_id, error=str(error))
    elif post.fired is None:
        return
    engine.post(Unreadable(post, error))
