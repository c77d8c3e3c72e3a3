"""Where the demo is seen: a screen (see ``screen``), or lines when there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from ostinato.cli import output
from ostinato.cli.demo.picture import Fact, Picture, told


class Clock:
    """Seconds since the curtain rose."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def text(self) -> str:
        return f"{time.monotonic() - self._began:.1f} s"


class Stage(AbstractContextManager["Stage"], Protocol):
    server: str

    def say(self, text: str, style: str = "") -> None:
        """Something that everybody is told."""

    def hint(self, text: str, style: str = "") -> None:
        """Something that moves on at once, as a clock does."""

    def fact(self, picture: Picture, fact: Fact) -> None:
        """Something that was recorded."""

    def tick(self) -> None:
        """Time has passed."""


class Lines:
    """Each thing once, in one line."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.server = ""

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def say(self, text: str, style: str = "") -> None:
        self._print(text)

    def hint(self, text: str, style: str = "") -> None:
        pass

    def fact(self, picture: Picture, fact: Fact) -> None:
        if text := told(fact):
            self._print(f"{picture.order.tenant:<9} {text}")

    def tick(self) -> None:
        pass

    def _print(self, text: str) -> None:
        print(f"{self._clock.text:>7}  {text}", flush=True)


def stage_for(pictures: Sequence[Picture]) -> Stage:
    if not output.on_terminal():
        return Lines(Clock())
    from ostinato.cli.demo.screen import Screen

    return Screen(pictures, Clock())
