"""Stored events that cannot be read any more: each is a dead letter, once, and nobody waits for it.

An event that runs should have heard is kept under its name (``stored``); one that was to be sent
leaves the outbox (``outgoing``). All that can still be read of it is in the reason.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from ostinato.core.cloudevents import Event
from ostinato.core.letters import OUTGOING, STORED
from ostinato.errors import Problem
from ostinato.ports import DamagedEvent, DeadLetter, Outgoing
from ostinato.runtime.change import Change
from ostinato.runtime.letters import encoded_reasons
from ostinato.runtime.posts import Post, stored

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine

HINT = "bring the store back from a copy, or send the event again under another id"


class Bury(Post):
    """Note that a stored event cannot be read. It is found again at every start: noted once."""

    __slots__ = ("event", "known", "letter_id")

    def __init__(self, event: DamagedEvent) -> None:
        super().__init__()
        self.event = event
        named = f"{event.source}\n{event.id}".encode(errors="replace")
        self.letter_id = f"damaged-{sha256(named).hexdigest()[:26]}"
        self.known = False

    async def ready(self, engine: Engine) -> None:
        self.known = await engine.storage.dead_letter(self.letter_id) is not None

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        stored(engine, change, "letter", self.letter_id, "")
        if self.known:
            return
        engine.fresh["letter", self.letter_id, ""] = change
        event = self.event
        change.rows.dead_letters.append(
            DeadLetter(
                self.letter_id, now, STORED, event.type, event.source, event.id, _reasons(event)
            )
        )


def unsent(engine: Engine, one: Outgoing) -> DeadLetter:
    """The letter of an event that was to be sent."""
    event, now = one.event, engine.clock.now()
    return DeadLetter(
        engine.identity.event_id(now), now, OUTGOING, one.run_id, event.source, event.id,
        _reasons(event), run_id=one.run_id or None,
    )  # fmt: skip


def _reasons(event: Event) -> bytes:
    why = event.why if isinstance(event, DamagedEvent) else ""
    return encoded_reasons([Problem(why, hint=HINT)])
