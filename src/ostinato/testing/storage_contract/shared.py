"""What an adapter's tests fill in where processes share a store, and how a test gets them."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ostinato.ports import Members, Roll, Storage

LEASE = 1_500
PATIENCE = 10
"""Seconds after which a hint is not waited for any more."""


class SharedHooks(ABC):
    @abstractmethod
    def place(self) -> Any:
        """A new, empty place for data: a path, an address."""

    @abstractmethod
    def make(self, place: Any) -> Storage:
        """Another process's way to the place, not yet open."""

    @abstractmethod
    async def pass_by(self, place: Any, seconds: float) -> None:
        """So much time goes by at the store."""

    @asynccontextmanager
    async def processes(self, count: int, place: Any = None) -> AsyncIterator[list[Storage]]:
        where = self.place() if place is None else place
        found = [self.make(where) for _ in range(count)]
        for storage in found:
            await storage.open()
            await come(storage)
        try:
            yield found
        finally:
            for storage in found:
                await storage.close()

    async def too_late(self, place: Any) -> None:
        """Every lease is over that is not renewed from now on."""
        await self.pass_by(place, LEASE / 1000 + 0.1)


def members(storage: Storage) -> Members:
    assert storage.members is not None
    return storage.members


async def come(storage: Storage) -> Roll:
    there = members(storage)
    return await there.renew(LEASE, f"http://{there.id}")


async def take(storage: Storage, most: int) -> frozenset[int]:
    return (await members(storage).take(most)).partitions


class Ears:
    """What a process hears, in its order."""

    def __init__(self, storage: Storage) -> None:
        self.heard: list[str] = []
        self._more = asyncio.Event()
        members(storage).listen(self._hear)

    def _hear(self, news: Sequence[str]) -> None:
        self.heard += news
        self._more.set()

    async def until(self, enough: Callable[[list[str]], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not enough(self.heard):
                self._more.clear()
                await self._more.wait()
