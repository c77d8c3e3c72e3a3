"""Who guesses is kept waiting: refused calls are counted by address, believed ones are not."""

from __future__ import annotations

from typing import cast

from ostinato.app import App
from ostinato.errors import OstinatoError, SignatureError

ADDRESSES = 10_000
"""Addresses whose refused calls are counted."""


class TooMany(OstinatoError):
    """Too many calls from one address were refused. ``seconds`` until the next is looked at."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class Refusals:
    """How many calls of each address were refused lately. Calls that are believed cost nothing."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._counts: dict[str, tuple[int, int]] = {}

    @staticmethod
    def of(app: App) -> Refusals:
        """One for all calls that an app takes."""
        return cast(Refusals, app.mounted.setdefault(Refusals, Refusals(app)))

    def counting(self, address: str) -> _Counting:
        """Raises ``TooMany`` at once; counts a ``SignatureError`` in the block."""
        began, count = self._counts.get(address, (0, 0))
        left = began + self._window - self._app.now()
        if left > 0 and count >= self._app.settings.arc.attempts:
            seconds = left / 1000
            raise TooMany(f"{count} calls from here were refused; wait", seconds)
        return _Counting(self, address)

    def add(self, address: str) -> None:
        now = self._app.now()
        began, count = self._counts.get(address, (now, 0))
        if now - began >= self._window:
            began, count = now, 0
        if len(self._counts) >= ADDRESSES and address not in self._counts:
            self._counts.pop(next(iter(self._counts)))
        self._counts[address] = (began, count + 1)

    @property
    def _window(self) -> int:
        return round(self._app.settings.arc.window.total_seconds() * 1000)


class _Counting:
    def __init__(self, refusals: Refusals, address: str) -> None:
        self._refusals = refusals
        self._address = address

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, SignatureError):
            self._refusals.add(self._address)
