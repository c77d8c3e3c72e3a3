"""PostgreSQL keeps the promises of every store: alone, and when several share it."""

from typing import Any, Literal

import psycopg
import pytest

from ostinato.ports import Storage
from ostinato.storage.postgres import PostgresStorage
from ostinato.storage.postgres.wire import Lost
from ostinato.testing.storage_contract import SharingContract, StorageContract

pytestmark = pytest.mark.real


class TestPostgres(StorageContract):
    @pytest.fixture(autouse=True)
    def _databases(self, new_database):
        self.place = new_database

    def place(self) -> str:
        raise NotImplementedError

    def make(self, place: Any) -> PostgresStorage:
        return PostgresStorage(place, patience=5)

    def break_next_commit(self, storage: Storage, outcome: Literal["kept", "lost"]) -> None:
        assert isinstance(storage, PostgresStorage)
        writer = storage._writer
        once = writer.once

        async def fail(asks: Any) -> Any:
            writer.once = once  # type: ignore[method-assign]
            if outcome == "kept":
                await once(asks)
            raise Lost("the connection was lost")

        writer.once = fail  # type: ignore[method-assign]

    def count_values(self, storage: Storage) -> int:
        assert isinstance(storage, PostgresStorage)
        with psycopg.connect(storage.address.url) as db:
            (count,) = db.execute("SELECT count(*) FROM ostinato.value").fetchone()
        return int(count)


class TestSharedPostgres(SharingContract):
    @pytest.fixture(autouse=True)
    def _databases(self, new_database):
        self.place = new_database

    def place(self) -> str:
        raise NotImplementedError

    def make(self, place: Any) -> PostgresStorage:
        return PostgresStorage(place, patience=5)

    async def pass_by(self, place: Any, seconds: float) -> None:
        """The leases grow older; nobody can set the clock of a server."""
        async with await psycopg.AsyncConnection.connect(place, autocommit=True) as db:
            older = "expires_at = expires_at - %s * interval '1 second'"
            await db.execute(f"UPDATE ostinato.lease SET {older}", (seconds,))
