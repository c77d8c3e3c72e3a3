"""Which server or store a command talks to.

OSTINATO_URL when it is set; else the address that ``serve`` left beside the SQLite file, if it
answers; else the store itself, opened here without doing any of its work.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from ostinato.app.address import known_address, looking
from ostinato.app.wiring import is_there
from ostinato.cli import output
from ostinato.cli.client import Client, Data
from ostinato.cli.failure import UNREACHABLE, Stop
from ostinato.cli.remote import RemoteClient
from ostinato.config import Settings
from ostinato.config.settings import shown_store
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
    if not creates:
        await _refuse_missing(settings)
    from ostinato.cli.local import opened

    with _locked_explained():
        async with opened(settings, creates=creates) as local:
            yield local


async def members_of(settings: Settings) -> Data:
    """Who is at the stores, as a server sees it, or else as they say themselves: whoever only asks
    is none of them."""
    remote = await _remote(settings)
    if remote is not None:
        try:
            return await remote.members()
        finally:
            await remote.close()
    await _refuse_missing(settings)
    from ostinato.cli.local import members

    with _locked_explained():
        return await members(settings)


async def buses_of(settings: Settings) -> list[Data]:
    """With what a server has counted, where one answers."""
    remote = await _remote(settings)
    if remote is None:
        from ostinato.cli.local import buses

        output.note("no server runs here: nothing comes in or goes out now")
        return await buses(settings)
    try:
        return await remote.buses()
    finally:
        await remote.close()


async def _refuse_missing(settings: Settings) -> None:
    for url in settings.stores:
        if not await asyncio.to_thread(is_there, url):
            raise Stop(
                f"{shown_store(url)}: there is no store here yet",
                hint=_MAKES,
                code=UNREACHABLE,
            )


_MAKES = (
    "ostinato serve or deploy makes one, and ostinato tables in a database; or name another: "
    "--store sqlite:///FILE or postgresql://…"
)


@contextmanager
def _locked_explained() -> Iterator[None]:
    try:
        yield
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
