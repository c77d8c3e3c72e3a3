"""The parts of a set, asked one by one or all at once; who has what is remembered."""

from __future__ import annotations

import asyncio
import functools
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from ostinato.app.orchestrator import App
from ostinato.app.shards.part import Part
from ostinato.app.shards.presence import Presence
from ostinato.core.cloudevents import Event
from ostinato.errors import Refused, ShardAway, StoreError, UnknownCommit

P = ParamSpec("P")
T = TypeVar("T")

REMEMBERED = 10_000
"""Names (of runs, tasks, …) of which it is known who has them."""

Name = tuple[str, str]


class Parts(ABC):
    """``counts``: how many stores there were, one after the other."""

    def __init__(self, whole: App) -> None:
        self.whole = whole
        stores = range(len(whole.settings.stores))
        self.parts = [
            Part(whole, number, self._deliver, self._adopt, self._check_set) for number in stores
        ]
        self.presences = [
            Presence(part.name, part.ask, part.forget, self._is_back) for part in self.parts
        ]
        self.counts: tuple[int, ...] = ()
        self.counted = asyncio.Event()
        self._owners: dict[Name, int] = {}

    @abstractmethod
    async def _deliver(self, events: Sequence[Event]) -> None:
        """Bring what came out of one store to where it belongs."""

    @abstractmethod
    async def _adopt(self) -> None:
        """See to it that what is deployed in the first store is in all."""

    @abstractmethod
    async def _check_set(self) -> None:
        """Whether this process may have a part of the stores' runs."""

    @abstractmethod
    def _is_back(self) -> None:
        """A store that was away is there again."""

    def named(self, number: int) -> str:
        return f"store {number + 1} of {len(self.parts)} ({self.parts[number].name})"

    async def at(self, number: int, work: Callable[[Part], Awaitable[T]]) -> T:
        """Raises ``ShardAway``, which names it, when its store does not answer."""
        presence = self.presences[number]
        try:
            async with presence.needed():
                return await work(self.parts[number])
        except (Refused, UnknownCommit, ShardAway):
            raise
        except StoreError as error:
            presence.look()
            told = f"{self.named(number)} does not answer; what is in the others goes on"
            which = f"store {number + 1} of {len(self.parts)}"
            raise ShardAway(f"{told}: {error}", which=which) from error

    async def all(self, work: Callable[[Part], Awaitable[T]]) -> list[T]:
        """What each says, in their order. A part of that would look like the whole: so it raises
        ``ShardAway`` when one is away."""
        return list(await asyncio.gather(*(self.at(n, work) for n in range(len(self.parts)))))

    # who has it

    def remember(self, kind: str, name: str, number: int) -> None:
        self._owners[kind, name] = number
        while len(self._owners) > REMEMBERED:
            del self._owners[next(iter(self._owners))]

    async def owner(
        self, kind: str, name: str, has: Callable[[Part], Awaitable[bool]]
    ) -> int | None:
        """None: nobody has it. Raises ``ShardAway`` when one that may have it is away."""
        known = self._owners.get((kind, name))
        if known is not None:
            return known
        asking = [asyncio.ensure_future(self._has(n, has)) for n in range(len(self.parts))]
        away: list[Exception] = []
        try:
            for answer in asyncio.as_completed(asking):
                number, has_it = await answer
                if has_it is True:
                    self.remember(kind, name, number)
                    return number
                if isinstance(has_it, Exception):
                    away.append(has_it)
        finally:
            for one in asking:
                one.cancel()
        if away:
            raise away[0]
        return None

    async def _has(
        self, number: int, has: Callable[[Part], Awaitable[bool]]
    ) -> tuple[int, bool | Exception]:
        try:
            return number, await self.at(number, has)
        except Exception as error:
            return number, error

    def handy(self) -> int:
        """One that is at work here, for what any of them knows."""
        here = (n for n, part in enumerate(self.parts) if part.works and not self.presences[n].away)
        return next(here, 0)

    async def answering(self, numbers: Iterable[int]) -> list[int]:
        """Those of them that are there at this moment; who is away holds up nobody for long."""
        asked = list(numbers)
        there = await asyncio.gather(*(self.presences[number].answers() for number in asked))
        return [number for number, is_there in zip(asked, there, strict=True) if is_there]

    async def run_owner(self, run_id: str) -> int | None:
        return await self.owner("run", run_id, lambda part: part.has_run(run_id))

    async def of_run(self, run_id: str, work: Callable[[Part], Awaitable[T]]) -> T:
        """What nobody has, the first one denies."""
        return await self.at(await self.run_owner(run_id) or 0, work)


Routed = Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]


def of_run(verb: Callable[Concatenate[Any, str, P], Awaitable[T]]) -> Routed[..., T]:
    """A verb of the app about one run, done where that is."""

    @functools.wraps(verb)
    async def routed(self: Any, run_id: str, *args: P.args, **kwargs: P.kwargs) -> T:
        parts: Parts = self
        return await parts.of_run(run_id, lambda part: verb(part, run_id, *args, **kwargs))

    return routed


def of_first(verb: Callable[Concatenate[Any, P], Awaitable[T]]) -> Routed[..., T]:
    """A verb of the app about what the first store alone looks after."""

    @functools.wraps(verb)
    async def routed(self: Any, *args: P.args, **kwargs: P.kwargs) -> T:
        parts: Parts = self
        return await parts.at(0, lambda part: verb(part, *args, **kwargs))

    return routed
