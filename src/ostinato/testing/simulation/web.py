"""The peer of ``http`` jobs: slow, failing, and without a network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random

import httpx2

SECONDS = {"/refuses": 0.0, "/slow": 0.5, "/hangs": 1_000_000.0}


class Peer(httpx2.AsyncBaseTransport):
    def __init__(self, chance: Random) -> None:
        self._chance = chance

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(self._chance.random() * 0.05)
        luck = await self._luck(request.url.path)
        if luck < 0.1:
            raise httpx2.ConnectError("nobody listens (simulated)")
        return httpx2.Response(500 if luck < 0.2 else 200, stream=_Body(self._chance))

    async def _luck(self, path: str) -> float:
        """By chance, unless the address says how it shall be."""
        if path not in SECONDS:
            return self._chance.random()
        await asyncio.sleep(SECONDS[path])
        return 0.1 if path == "/refuses" else 1.0

    async def aclose(self) -> None:
        await asyncio.sleep(0.001)


class _Body(httpx2.AsyncByteStream):
    def __init__(self, chance: Random) -> None:
        self._chance = chance

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in (b"half, ", b"and half"):
            await asyncio.sleep(self._chance.random() * 0.02)
            yield part * (3_000_000 if self._chance.random() < 0.03 else 1)
            if self._chance.random() < 0.1:
                raise httpx2.ReadError("the connection broke (simulated)")

    async def aclose(self) -> None:
        await asyncio.sleep(0.001)


def client_of(chance: Random) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=Peer(chance), trust_env=False, timeout=30)
