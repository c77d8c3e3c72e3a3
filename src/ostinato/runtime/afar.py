"""Starts under a uid of which another process knows: accepted here, begun there.

The event is stored with a letter to that process, in one transaction; what comes of the start is
decided there, as if the event had come there. Its run's id is chosen here, so that whoever sent the
event can be told of it at once.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from ostinato.core import events as e
from ostinato.core.model import Again, Meanwhile
from ostinato.ports import Mail
from ostinato.runtime.change import Change
from ostinato.runtime.wanted import Begun, Wanted

MOVED = "moved"
"""The scope of what points from a run that was promised to the one that there is, or to the dead
letter (``letter ID``): among the answers to idempotency keys."""

POINTED = 7 * 86_400_000
"""Milliseconds for which it points there."""


class Wish(msgspec.Struct, frozen=True):
    """``again`` and ``open`` are the rule for a uid that is taken."""

    run_id: str
    workflow: str
    version: int
    uid: str
    again: Again
    open: Meanwhile
    input: Raw
    event: Raw
    trigger: str


def start_afar(change: Change, one: Wanted, start: e.Start, trigger: str) -> Begun:
    """Ask for it. The answer is what is known here: the run that has the uid, or the new one."""
    wish = Wish(
        start.run_id, one.graph.workflow, one.graph.version, one.uid or "", one.rule.again,
        one.rule.open, _raw(start.input), _raw(start.event), trigger,
    )  # fmt: skip
    caller = f"uid {one.uid}"
    mail = Mail("start", "", caller, start.run_id, 0, msgspec.json.encode(wish), one.home or 0)
    change.rows.mail[mail.line] = mail
    return Begun(one.taken or start.run_id, duplicate=one.taken is not None)


def _raw(given: Raw | None) -> Raw:
    return Raw(b"null") if given is None else given
