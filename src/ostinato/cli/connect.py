"""Which server or store a command talks to.

OSTINATO_URL when it is set; else the address that ``serve`` left beside the SQLite file, if it
answers; else the store itself, opened here without doing any of its work.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ostinato.app.address import known_address, looking
from ostinato.cli.client import Client
from ostinato.cli.failure import UNREACHABLE, Stop
from ostinato.cli.remote import RemoteClient
from ostinato.config import Settings
from ostinato.errors import StoreLocked


@asynccontextmanager
async def connected(settings: Settings, *, creates: bool = False) -> AsyncIterator[Client]:
    """``creates``: a store that is not there yet is made, as the first thing is put into it."""
    remote = await _remote(settings)
    if remote is not None:
        try:
            yield remote
        finally:
            await remote.close()
        return
    file = settings.store_file
    if file is not None and not file.exists() and not creates:
        hint = "ostinato serve makes one; or name another: --store sqlite:///FILE"
        raise Stop(f"{file}: there is no store here yet", hint=hint, code=UNREACHABLE)
    from ostinato.cli.local import opened

    try:
        async with opened(settings) as local:
            yield local
    except StoreLocked as error:
        hint = "its server is starting or hangs; try again, or name it: OSTINATO_URL"
        raise Stop(str(error), hint=hint, code=UNREACHABLE) from error


async def _remote(settings: Settings) -> RemoteClient | None:
    if settings.url:
        remote = RemoteClient(settings.url, settings.key)
        if not await remote.answers():
            await remote.close()
            given = settings.origin("url")
            raise Stop(f"nothing answers at {settings.url} ({given})", code=UNREACHABLE)
        return remote
    url = known_address(settings)
    if url is None:
        return None
    remote = RemoteClient(url, settings.key, look=looking(settings))
    if await remote.answers():
        return remote
    await remote.close()
    return None
