"""Which server or store a command talks to.

OSTINATO_URL when it is set; else the address that ``serve`` left beside the SQLite file, if it
answers; else the store itself, opened here without doing any of its work.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

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
    remote = RemoteClient(url, settings.key)
    if await remote.answers():
        return remote
    await remote.close()
    return None


def address_file(settings: Settings) -> Path | None:
    """``ostinato.db.url`` beside ``ostinato.db``."""
    file = settings.store_file
    return file and file.with_name(f"{file.name}.url")


def known_address(settings: Settings) -> str | None:
    """None also when the server that wrote it is dead: its port may be another's by now."""
    file = address_file(settings)
    try:
        url = file.read_text().strip() if file else ""
    except OSError:
        return None
    return url if url.startswith("http") and owner_lives(settings) else None


def owner_lives(settings: Settings) -> bool:
    """Whether the process that the lock file names is there."""
    pid = owner(settings)
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is there, and another user's
        return True
    return True


def owner(settings: Settings) -> int | None:
    file = settings.store_file
    try:
        text = file.with_name(f"{file.name}.lock").read_text() if file else ""
    except (OSError, UnicodeDecodeError):
        return None
    try:
        pid = json.loads(text)["pid"]
    except (ValueError, KeyError, TypeError):
        return None  # an owner that ended in order takes its name out
    return pid if type(pid) is int and pid > 0 else None
