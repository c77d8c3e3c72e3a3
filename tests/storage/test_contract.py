"""Both stores keep the same promises."""

from typing import Any, Literal

from ostinato.ports import Storage
from ostinato.storage.memory import Disk, MemoryStorage
from ostinato.testing.storage_contract import StorageContract


class TestMemory(StorageContract):
    def place(self) -> Disk:
        return Disk()

    def make(self, place: Any) -> MemoryStorage:
        return MemoryStorage(place)

    def break_next_commit(self, storage: Storage, outcome: Literal["kept", "lost"]) -> None:
        assert isinstance(storage, MemoryStorage)
        storage.next_commit = outcome
