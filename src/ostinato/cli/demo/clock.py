"""The time that the demo shows."""

from __future__ import annotations

import time


class Clock:
    """Seconds since the curtain rose."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def text(self) -> str:
        return f"{time.monotonic() - self._began:.1f} s"
