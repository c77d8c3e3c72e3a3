"""PostgreSQL keeps the promises of every store: alone, and shared."""

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
    """The server's clock stands still, and goes on when the test says so."""

    @pytest.fixture(autouse=True)
    def _databases(self, new_database):
        self._new = new_database
        self._urls: list[str] = []
        self.now = 1_000_000
        yield
        for url in self._urls:
            self._set(url, "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")

    def place(self) -> str:
        self._urls.append(self._new())
        self._set(self._urls[-1], f"SELECT {self.now}::bigint")
        return self._urls[-1]

    def make(self, place: Any) -> PostgresStorage:
        return PostgresStorage(place, patience=5)

    async def pass_by(self, place: Any, seconds: float) -> None:
        self.now += round(seconds * 1000)
        self._set(place, f"SELECT {self.now}::bigint")

    def _set(self, url: str, clock: str) -> None:
        with psycopg.connect(url) as db:
            db.execute(
                "CREATE OR REPLACE FUNCTION ostinato.clock_ms() RETURNS bigint LANGUAGE sql "
                f"VOLATILE AS '{clock}'".encode()
            )
