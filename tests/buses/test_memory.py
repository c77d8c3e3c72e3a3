"""The bus inside one process keeps the contract of buses."""

from itertools import count

from ostinato.bus.memory import MemoryInlet, MemoryOutlet
from ostinato.testing.bus_contract import BusContract

_names = count()


class TestMemory(BusContract):
    async def make_place(self):
        return f"place-{next(_names)}"

    def inlet(self, place):
        return MemoryInlet("test", place)

    def outlet(self, place):
        return MemoryOutlet("test", place)
