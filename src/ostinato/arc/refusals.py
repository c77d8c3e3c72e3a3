"""Who guesses is told to wait: refused calls are counted by who made them, and about whom.

A signature cannot be guessed, so it is looked at first: one that fits is believed however many
others did not, as all of them may come by one proxy, and have its address. A password can be
guessed, so nobody looks at it once too many were wrong.
"""

from __future__ import annotations

from typing import cast

from ostinato.app import App
from ostinato.errors import OstinatoError, SignatureError

COUNTED = 10_000
"""Callers whose refused calls are counted."""

Caller = tuple[str, str]
"""An address, and what its calls are about."""


class TooMany(OstinatoError):
    """Too many calls like this one were refused. ``seconds`` until others are counted anew."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class Refusals:
    """How many calls of each caller were refused lately. Calls that are believed cost nothing."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._counts: dict[Caller, tuple[int, int]] = {}

    @staticmethod
    def of(app: App) -> Refusals:
        """One for all calls that an app takes."""
        return cast(Refusals, app.mounted.setdefault(Refusals, Refusals(app)))

    def counting(self, address: str, about: str = "") -> Counting:
        """Counts a ``SignatureError`` in the block, and raises ``TooMany`` in the place of one too
        many. ``about`` may be said in the block."""
        return Counting(self, address, about)

    def refuse_more(self, address: str, about: str) -> None:
        """Raises ``TooMany`` when enough were refused."""
        began, count = self._counts.get((address, about), (0, 0))
        left = began + self._window - self._app.now()
        if left > 0 and count >= self._app.settings.arc.attempts:
            raise TooMany(f"{count} calls from here were refused; wait", left / 1000)

    def add(self, address: str, about: str) -> None:
        now, caller = self._app.now(), (address, about)
        began, count = self._counts.get(caller, (now, 0))
        if now - began >= self._window:
            began, count = now, 0
        if len(self._counts) >= COUNTED and caller not in self._counts:
            self._counts.pop(next(iter(self._counts)))
        self._counts[caller] = (began, count + 1)

    @property
    def _window(self) -> int:
        return round(self._app.settings.arc.window.total_seconds() * 1000)


class Counting:
    def __init__(self, refusals: Refusals, address: str, about: str) -> None:
        self._refusals = refusals
        self._address = address
        self.about = about

    def __enter__(self) -> Counting:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, SignatureError):
            self._refusals.refuse_more(self._address, self.about)
            self._refusals.add(self._address, self.about)
