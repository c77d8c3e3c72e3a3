"""A cable to a server that can be cut: a proxy for TCP, in the test's own loop."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from tests.servers.postgres import HOST


class Cable:
    """``async with Cable(listen, to)``: connections to port ``listen`` go on to port ``to``."""

    def __init__(self, listen: int, to: int) -> None:
        self.listen = listen
        self.to = to
        self.cuts = 0
        """Connections that were cut."""
        self._whole = True
        self._open: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Those that are open end at once, in the middle of whatever they carry; new ones too."""
        self._whole = False
        for writer in self._open:
            self.cuts += 1
            writer.transport.abort()

    def mend(self) -> None:
        self._whole = True

    async def __aenter__(self) -> Cable:
        self._server = await asyncio.start_server(self._accept, HOST, self.listen)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._whole:
            writer.transport.abort()
            return
        try:
            there, thither = await asyncio.open_connection(HOST, self.to)
        except OSError:  # nobody is there
            writer.transport.abort()
            return
        self._open |= {writer, thither}
        await asyncio.gather(self._carry(reader, thither), self._carry(there, writer))
        self._open -= {writer, thither}

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
