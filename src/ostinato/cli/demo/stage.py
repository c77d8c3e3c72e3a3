"""Where the demo is seen: a screen (see ``screen``) or, when there is no terminal, lines."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from ostinato.cli.demo.clock import Clock
from ostinato.cli.demo.picture import Fact, Picture, told


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
