"""Who waits in lines: the one place of each goes to who has waited longest, and nobody passes."""

from __future__ import annotations

from ostinato.core.commands import Want
from ostinato.core.uids import LINE
from ostinato.ports import Owner, Turn

OFF = 15_000
"""Milliseconds after which one looks again whether a run has ended that is in no line."""


class Lines:
    """``_off_until`` (ms): these wait for a run that is in none which is known here."""

    def __init__(self) -> None:
        self._lines: dict[str, dict[Owner, None]] = {}
        self._off_until: dict[str, int] = {}

    def first(self, name: str) -> Owner | None:
        return next(iter(self._lines.get(name, ())), None)

    def length(self, name: str) -> int:
        return len(self._lines.get(name, ()))

    def join(self, name: str, owner: Owner) -> None:
        self._lines.setdefault(name, {})[owner] = None

    def leave(self, turn: Turn) -> None:
        for want in turn.wants:
            if want.overflow == LINE and (waiting := self._lines.get(want.name)):
                waiting.pop(turn.owner, None)
                if not waiting:
                    del self._lines[want.name]

    def is_behind(self, turn: Turn, want: Want, now: int) -> bool:
        if want.overflow != LINE:
            return False
        return turn.owner != self.first(want.name) or self._off_until.get(want.name, 0) > now

    def put_off(self, name: str, owner: Owner, now: int) -> int:
        """It comes first again, and may not begin before this time."""
        self._lines[name] = {owner: None, **self._lines.get(name, {})}
        self._off_until[name] = now + OFF
        return now + OFF

    def look_again(self, name: str) -> None:
        self._off_until.pop(name, None)
