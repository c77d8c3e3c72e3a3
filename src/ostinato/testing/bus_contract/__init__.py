"""What every connector promises, as tests to inherit from. They need its real counterpart.

    class TestMyBus(BusContract):
        async def make_place(self): make a new, empty topic or queue; return its name
        def inlet(self, place): return a new Inlet that reads it
        def outlet(self, place): return a new Outlet that writes to it

The tests are coroutines: run them with pytest-asyncio in its ``auto`` mode, or mark the class.

hooks   what an adapter's tests fill in      moving  what goes out comes in, in order
owing   what is not acknowledged comes again failing what is refused, missing, away
"""

from __future__ import annotations

from ostinato.testing.bus_contract.failing import FailingPromises
from ostinato.testing.bus_contract.moving import MovingPromises
from ostinato.testing.bus_contract.owing import OwingPromises

__all__ = ["BusContract"]


class BusContract(MovingPromises, OwingPromises, FailingPromises):
    """The whole suite. A class that has only one direction inherits nothing that needs the other:
    it says so by ``inlet = None``, and tests of it are its own."""
