"""What the tests of an adapter fill in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from ostinato.ports.buses import Inlet, Message, Outlet, Received

SOON = 30.0
"""Seconds in which whatever is to come has come; a test that waits so long has failed."""


def _normal(body: bytes) -> bytes:
    return json.dumps(json.loads(body), separators=(",", ":")).encode()


class Hooks:
    keeps_order = True
    """Whether messages of one key stay in order. Without: only each of them arrives."""

    has_keys = True
    """Whether a message's key arrives with it."""

    keeps_bytes = True
    """Whether a body arrives as it was. Without: as the same JSON, perhaps written otherwise."""

    largest: int | None = None
    """Bytes of a body that this bus never takes; None: it takes all."""

    redelivers_after = 0.0
    """Seconds until what was not acknowledged comes again, when its reader has gone."""

    async def make_place(self) -> str:
        """A new, empty topic or queue."""
        raise NotImplementedError

    def inlet(self, place: str) -> Inlet:
        raise NotImplementedError

    def outlet(self, place: str) -> Outlet:
        raise NotImplementedError

    def message(self, number: int, key: str | None = None, size: int = 0) -> Message:
        """One that this bus could carry: others have other headers."""
        body = b'{"number": %d, "text": "%s"}' % (number, b"x" * size)
        return Message(body=body, key=key, headers={"EventType": "NUMBERED"})

    def bodies(self, messages: Iterable[Message]) -> list[bytes]:
        """To compare them by."""
        several = [one.body for one in messages]
        return several if self.keeps_bytes else [_normal(body) for body in several]

    @asynccontextmanager
    async def reading(self, place: str) -> AsyncIterator[Inlet]:
        inlet = self.inlet(place)
        await inlet.open()
        try:
            yield inlet
        finally:
            await inlet.close()

    @asynccontextmanager
    async def writing(self, place: str) -> AsyncIterator[Outlet]:
        outlet = self.outlet(place)
        await outlet.open()
        try:
            yield outlet
        finally:
            await outlet.close()

    async def send(self, place: str, messages: Sequence[Message]) -> None:
        async with self.writing(place) as outlet:
            assert list(await outlet.send(messages)) == [None] * len(messages)

    async def take(self, inlet: Inlet, count: int, *, done: bool = True) -> list[Received]:
        """So many, however many fetches that takes."""
        found: list[Received] = []
        async with asyncio.timeout(SOON + self.redelivers_after):
            while len(found) < count:
                more = await inlet.fetch(count - len(found))
                if done and more:
                    await inlet.done(more)
                found += more
        return found
