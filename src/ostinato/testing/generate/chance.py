"""Draws from a ``random.Random``: nothing, few and first is what the smallest draws give.

So a library that looks for the smallest failing draws finds a small workflow.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")


class Chance:
    """``without`` names keys, actions and handlers that are never drawn."""

    def __init__(self, random: Random, without: Collection[str] = ()) -> None:
        self.random = random
        self.without = frozenset(without)

    def one(self, choices: Sequence[T]) -> T:
        """The first is the simplest."""
        return self.random.choice(choices)

    def word(self, choices: Iterable[str]) -> str:
        """One of those that are not left out."""
        return self.one([each for each in choices if each not in self.without])

    def some(self, choices: Sequence[T], share: float = 0.5) -> list[T]:
        return [each for each in choices if self.happens(share)]

    def count(self, least: int, most: int) -> int:
        return self.random.randint(least, most)

    def happens(self, share: float) -> bool:
        return self.random.random() >= 1 - share

    def has(self, key: str, share: float = 0.25) -> bool:
        """Whether ``key`` is written this time."""
        return key not in self.without and self.happens(share)

    def apart(self, key: str, made: Any, share: float = 0.2) -> bool:
        """As ``has``, of what was drawn already: it draws nothing, so all else stays as it was."""
        return key not in self.without and Random(repr(made)).random() < share

    def members(self, makers: dict[str, Callable[[], Any]], share: float = 0.25) -> dict[str, Any]:
        """Some of the members, each made when it is drawn."""
        return {key: make() for key, make in makers.items() if self.has(key, share)}
