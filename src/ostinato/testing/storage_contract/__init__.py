"""What every store promises, as tests to inherit from.

    class TestMyStorage(StorageContract):
        def place(self): return a new, empty place for data
        def make(self, place): return MyStorage(place)
        def break_next_commit(self, storage, outcome): make the next commit end "kept" or "lost"
        def count_values(self, storage): how many large values are kept apart

The tests are coroutines: run them with pytest-asyncio in its ``auto`` mode, or mark the class.

hooks    what an adapter's tests fill in             samples  rows to write
writing  batches: whole or nothing, the fence        owning   open, close, one owner
runs     history, heads, timers                      events   waits, early events, replies, outbox
lists    queries, pages, versions, dead letters      schedules  kept, due, replaced, dropped
limits   turns, places, buckets                      mail     what runs tell each other
values   large values, kept once
jobs     offered, claimed once, held, given back, ended by who holds them
tasks    put, ended once, listed, gone with their run
operations  repairs of many runs, each settled once
sharing  who has which partition, by leases          shared  what is filled in there
dying    who is late, has left, or was buried        partitioned  reads by partitions, hints
ordering what came first, whatever the clocks say
removing what is old: found in lots, gone for every reader, nothing else with it
"""

from __future__ import annotations

from ostinato.testing.storage_contract.events import EventPromises
from ostinato.testing.storage_contract.jobs import JobPromises
from ostinato.testing.storage_contract.limits import LimitPromises
from ostinato.testing.storage_contract.lists import ListPromises
from ostinato.testing.storage_contract.mail import MailPromises
from ostinato.testing.storage_contract.operations import OperationPromises
from ostinato.testing.storage_contract.owning import OwningPromises
from ostinato.testing.storage_contract.removing import RemovingPromises
from ostinato.testing.storage_contract.runs import RunPromises
from ostinato.testing.storage_contract.schedules import SchedulePromises
from ostinato.testing.storage_contract.sharing import SharingContract
from ostinato.testing.storage_contract.tasks import TaskPromises
from ostinato.testing.storage_contract.values import ValuePromises
from ostinato.testing.storage_contract.writing import WritingPromises

__all__ = ["SharingContract", "StorageContract"]


class StorageContract(
    WritingPromises,
    OwningPromises,
    RunPromises,
    SchedulePromises,
    EventPromises,
    LimitPromises,
    ListPromises,
    OperationPromises,
    MailPromises,
    TaskPromises,
    JobPromises,
    RemovingPromises,
    ValuePromises,
):
    pass
