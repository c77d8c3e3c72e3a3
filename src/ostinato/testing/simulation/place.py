"""Where the data lies: what outlives processes, whatever becomes of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, Protocol

from ostinato.ports import Storage
from ostinato.storage.memory import SharedMemoryStorage, Table
from ostinato.storage.sqlite import SqliteStorage


class Place(Protocol):
    """``shared``: a process that is taken for dead can still reach the data when it wakes up."""

    shared: bool

    def store(self) -> Storage:
        """A new process's way to the data."""

    def abandon(self, store: Any) -> None:
        """The process of this store is dead: what the kernel does with its files and locks."""

    def cut(self, store: Any, when: str) -> None:
        """Where there are connections, they break; ``when`` is one of ``plan.CUTS``."""

    def remove(self) -> None: ...


class MemoryPlace:
    """As clients of one database server: the lease and the fence keep order."""

    shared = True

    def __init__(self, now: Callable[[], int]) -> None:
        self._table = Table(now)

    def store(self) -> Storage:
        return SharedMemoryStorage(self._table)

    def abandon(self, store: Any) -> None:
        pass

    def cut(self, store: Any, when: str) -> None:
        pass

    def remove(self) -> None:
        pass


class AtOnce(Executor):
    """A pool whose threads are always faster than whoever asks."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class SameThread(SqliteStorage):
    """Real files and transactions; what has threads otherwise happens on the spot."""

    async def open(self) -> None:
        await super().open()
        if self._open is not None:
            self._open.writing.shutdown()
            self._open.listing.shutdown()
            self._open.writing = self._open.listing = AtOnce()  # type: ignore[assignment]
        self._pace.learn = lambda batch, seconds: None  # type: ignore[method-assign]


class SqlitePlace:
    """A file in memory where there is such a place: power cuts are not what is simulated."""

    shared = False

    def __init__(self) -> None:
        shm = Path("/dev/shm")  # noqa: S108 - a directory of our own is made in it
        self._folder = Path(tempfile.mkdtemp("ostinato", dir=shm if shm.is_dir() else None))

    def store(self) -> Storage:
        return SameThread(self._folder / "o.db")

    def abandon(self, store: Any) -> None:
        """The kernel closes its files and frees its lock; what it had not committed is gone."""
        store._let_go()

    def cut(self, store: Any, when: str) -> None:
        pass

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
