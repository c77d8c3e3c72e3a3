"""Both stores keep the same promises."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import pytest

from ostinato.ports import Storage
from ostinato.storage.memory import Disk, MemoryStorage, SharedMemoryStorage, Table
from ostinato.storage.sqlite import SqliteStorage
from ostinato.storage.sqlite.batch import finish
from ostinato.testing.storage_contract import SharingContract, StorageContract


class TestMemory(StorageContract):
    def place(self) -> Disk:
        return Disk()

    def make(self, place: Any) -> MemoryStorage:
        return MemoryStorage(place)

    def break_next_commit(self, storage: Storage, outcome: Literal["kept", "lost"]) -> None:
        assert isinstance(storage, MemoryStorage)
        storage.next_commit = outcome

    def count_values(self, storage: Storage) -> int:
        assert isinstance(storage, MemoryStorage)
        return len(storage._kept.values.data)


class TestSqlite(StorageContract):
    @pytest.fixture(autouse=True)
    def _in_its_own_directory(self, tmp_path):
        self.directory = tmp_path

    def place(self) -> Path:
        return self.directory / f"{len(list(self.directory.iterdir()))}.db"

    def make(self, place: Any) -> SqliteStorage:
        return SqliteStorage(place)

    def break_next_commit(self, storage: Storage, outcome: Literal["kept", "lost"]) -> None:
        assert isinstance(storage, SqliteStorage)

        def fail(db: sqlite3.Connection) -> None:
            storage.finish = finish
            if outcome == "kept":
                finish(db)
            raise sqlite3.OperationalError("disk I/O error")

        storage.finish = fail

    def count_values(self, storage: Storage) -> int:
        assert isinstance(storage, SqliteStorage)
        with closing(sqlite3.connect(storage.file)) as db:
            (count,) = db.execute("SELECT count(*) FROM value").fetchone()
        return int(count)


class TestSqliteOnAThread(TestSqlite):
    """A slow disk: every commit goes to the writer thread."""

    def make(self, place: Any) -> SqliteStorage:
        storage = super().make(place)
        storage._pace.seconds = 10**6
        return storage


class TestSharedMemory(SharingContract):
    def place(self) -> Table:
        self.now = 1_000_000
        return Table(lambda: self.now)

    def make(self, place: Any) -> SharedMemoryStorage:
        return SharedMemoryStorage(place)

    async def pass_by(self, place: Any, seconds: float) -> None:
        self.now += round(seconds * 1000)
