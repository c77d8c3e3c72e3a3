"""Adapters by name: the built-in ones and those that other packages bring, from one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import urlsplit

from ostinato.errors import SettingsError
from ostinato.ports import Archive, Storage
from ostinato.storage.moving import Source, Target

SERVERS = ("postgresql://", "postgres://")


def _sqlite(url: str) -> Storage:
    """``sqlite:///file`` is relative to the working directory, ``sqlite:////file`` absolute."""
    from ostinato.storage.sqlite import SqliteStorage

    path = url.partition("://")[2].removeprefix("/")
    if not path:
        raise SettingsError(f"store = {url!r} names no file; write it as sqlite:///ostinato.db")
    return SqliteStorage(path)


def _memory(url: str) -> Storage:
    from ostinato.storage.memory import MemoryStorage

    return MemoryStorage()


def _postgres(url: str, claims: str = "skip-locked") -> Storage:
    with _psycopg_named():
        from ostinato.storage.postgres import PostgresStorage
    return PostgresStorage(url, claims=claims)


def known_in_postgres(url: str) -> str | None:
    """Where the server of this store answers, if one does."""
    with _psycopg_named():
        from ostinato.storage.postgres.announced import known_address
    return known_address(url)


def is_there(url: str) -> bool:
    """Whether this store has been made; asking makes nothing. Raises ``StoreError`` when a database
    cannot be reached."""
    if url.startswith(SERVERS):
        with _psycopg_named():
            from ostinato.storage.postgres.announced import has_tables
        return has_tables(url)
    file = url.removeprefix("sqlite:///")
    return file == url or Path(file).exists()


def scratch_store(url: str) -> AbstractContextManager[str]:
    """An empty database beside this one, dropped afterwards."""
    with _psycopg_named():
        from ostinato.storage.postgres.scratch import scratch
    return scratch(url)


def server_process(url: str) -> int | None:
    """Of the database server, if that is on this machine."""
    with _psycopg_named():
        from ostinato.storage.postgres.scratch import server_process
    return server_process(url)


def server_shown(url: str) -> str:
    """Version and durability of the database server."""
    with _psycopg_named():
        from ostinato.storage.postgres.scratch import server_shown
    return server_shown(url)


async def bring_tables_up(url: str, *, finish: bool) -> list[str]:
    """The names of what was applied to this PostgreSQL; ``finish``: the last halves, too."""
    with _psycopg_named():
        from ostinato.storage.postgres import schema
        from ostinato.storage.postgres.url import address
    return await schema.migrate(address(url), schema.shipped(), finish=finish)


@contextmanager
def _psycopg_named() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise SettingsError(
            "store = postgresql://… needs psycopg, which cannot be loaded here "
            f'({error}); pip install "ostinato[postgres]"'
        ) from error


STORES: dict[str, Callable[[str], Storage]] = {
    "sqlite": _sqlite,
    "postgresql": _postgres,
    "postgres": _postgres,
    "memory": _memory,
}
"""URL scheme → what makes the store. Other packages add theirs under ``ostinato.storage``."""


def open_store(url: str, claims: str = "skip-locked") -> Storage:
    """The store that ``url`` names; nothing is opened yet. ``claims`` is how a database is asked
    for workers' jobs."""
    scheme = urlsplit(url).scheme
    if scheme in ("postgresql", "postgres"):
        return _postgres(url, claims)
    if scheme in STORES:
        return STORES[scheme](url)
    for entry in entry_points(group="ostinato.storage", name=scheme):
        store: Storage = entry.load()(url)
        return store
    known = ", ".join(f"{name}://" for name in STORES)
    raise SettingsError(
        f"store = {url!r}: no store is known for {scheme or 'an empty scheme'!r}; known are "
        f"{known}, as in sqlite:///ostinato.db"
    )


def source_of(url: str) -> Source:
    """The store that is moved; nothing is opened yet."""
    if url.startswith(SERVERS):
        with _psycopg_named():
            from ostinato.storage.postgres.moving import PostgresSource
        return PostgresSource(url)
    from ostinato.storage.sqlite.moving import SqliteSource

    return SqliteSource(_file_in(url))


def target_of(url: str) -> Target:
    """Where it is moved to."""
    if url.startswith(SERVERS):
        with _psycopg_named():
            from ostinato.storage.postgres.moving import PostgresTarget
        return PostgresTarget(url)
    from ostinato.storage.sqlite.moving import SqliteTarget

    return SqliteTarget(_file_in(url))


def _file_in(url: str) -> str:
    path = url.removeprefix("sqlite:///")
    if path == url or not path:
        raise SettingsError(
            f"{url!r} is not a store that can be moved: those are sqlite:///FILE and postgresql://…"
        )
    return path


def open_archive(folder: str) -> Archive:
    from ostinato.storage.archive import FolderArchive

    return FolderArchive(folder)
