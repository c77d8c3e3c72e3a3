"""What an adapter's tests fill in, and how a test gets its store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeVar

from ostinato.core.run_ids import PARTITIONS
from ostinato.ports import Batch, Storage

E = TypeVar("E", bound=Exception)

LONG = 60_000
"""A lease that outlives a test, in ms."""


class Hooks(ABC):
    @abstractmethod
    def place(self) -> Any:
        """A new, empty place for data: a path, an address."""

    @abstractmethod
    def make(self, place: Any) -> Storage:
        """A store over the place, not yet open."""

    @abstractmethod
    def break_next_commit(self, storage: Storage, outcome: Literal["kept", "lost"]) -> None:
        """The store's next commit fails with ``UnknownCommit``, and the batch is kept, or lost."""

    @abstractmethod
    def count_values(self, storage: Storage) -> int:
        """How many large values the store keeps apart from their rows."""

    @asynccontextmanager
    async def opened(self, place: Any = None) -> AsyncIterator[Storage]:
        storage = self.make(self.place() if place is None else place)
        await storage.open()
        try:
            if storage.members is not None:
                await storage.members.renew(LONG, "http://here")
                taken = await storage.members.take(PARTITIONS)
                assert len(taken.partitions) == PARTITIONS
            yield storage
        finally:
            await storage.close()


async def raises(kind: type[E] | tuple[type[E], ...], doing: Awaitable[object]) -> E:
    try:
        await doing
    except kind as error:
        return error
    raise AssertionError(f"{kind} was expected")


async def write(storage: Storage, **members: Any) -> None:
    """One batch, under the epoch of a store that nobody has joined or that ``epoch`` names."""
    await storage.commit(Batch(**members))
