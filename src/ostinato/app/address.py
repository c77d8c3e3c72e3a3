"""Where the server of a store answers: it says so beside the SQLite file, or in PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from ostinato.app.wiring import known_in_postgres
from ostinato.config import Settings
from ostinato.errors import AdapterError


def address_file(settings: Settings) -> Path | None:
    """``ostinato.db.url`` beside ``ostinato.db``."""
    file = settings.store_file
    return file and file.with_name(f"{file.name}.url")


@contextlib.contextmanager
def address_told(settings: Settings, url: str) -> Iterator[None]:
    """Other commands find it there, for as long as this lasts. A database has it in the lease."""
    file = address_file(settings)
    if file is None:
        yield
        return
    _write(file, url)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _write(file: Path, url: str) -> None:
    """Whole or not at all."""
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    fresh.write_text(f"{url}\n")
    fresh.replace(file)


def known_address(settings: Settings) -> str | None:
    """None also when the server that wrote it is dead: its port may be another's by now.

    Raises ``StoreError`` when the database cannot be reached.
    """
    if settings.store_is_server:
        return known_in_postgres(settings.stores[0])
    file = address_file(settings)
    try:
        url = file.read_text().strip() if file else ""
    except OSError:
        return None
    return url if url.startswith("http") and owner_lives(settings) else None


Look = Callable[[], Awaitable[str | None]]
"""Where a server answers by now, if one is known."""


def looking(settings: Settings) -> Look | None:
    """For who was told no address, and so may be sent to another one when that server has gone."""
    if settings.url:
        return None

    async def look() -> str | None:
        try:
            return await asyncio.to_thread(known_address, settings)
        except AdapterError:  # the database is away as well; it is asked again
            return None

    return look


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
