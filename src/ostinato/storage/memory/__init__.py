"""The twin of the durable stores: the same behaviour, kept in this process's memory.

adapter  MemoryStorage: ownership, the fence, what the engine reads
disk     what outlives a close, and how a batch changes it
refusal  what no store would take
lists    what lists and pages read
values   large values, apart from their rows
members  one disk for several processes
"""

from ostinato.storage.memory.adapter import MemoryStorage
from ostinato.storage.memory.disk import Disk
from ostinato.storage.memory.members import SharedMemoryStorage, Table

__all__ = ["Disk", "MemoryStorage", "SharedMemoryStorage", "Table"]
