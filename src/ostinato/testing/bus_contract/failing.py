"""What is refused, missing or away."""

from __future__ import annotations

import asyncio

from ostinato.errors import BusError, UsageError
from ostinato.ports.buses import Inlet, Outlet
from ostinato.testing.bus_contract.hooks import SOON, Hooks


class FailingPromises(Hooks):
    def missing_inlet(self) -> Inlet | None:
        """One that reads a place that is not there; None where a bus makes places as needed."""
        return None

    def lost_inlet(self) -> Inlet | None:
        """One whose server does not answer: nobody listens at its port."""
        return None

    def lost_outlet(self) -> Outlet | None:
        return None

    async def test_what_is_too_large_is_refused_alone(self) -> None:
        if self.largest is None:
            return
        place = await self.make_place()
        large = self.message(2, key="b", size=self.largest)
        async with self.writing(place) as outlet:
            sent = [self.message(1, key="a"), large, self.message(3, key="c")]
            first, second, third = await outlet.send(sent)
        assert (first, third) == (None, None)
        assert isinstance(second, UsageError)
        async with self.reading(place) as inlet:
            found = [one.message for one in await self.take(inlet, 2)]
        assert sorted(self.bodies(found)) == sorted(self.bodies([sent[0], sent[2]]))

    async def test_a_place_that_is_missing_is_named(self) -> None:
        inlet = self.missing_inlet()
        if inlet is None:
            return
        told = await _trouble(inlet)
        await inlet.close()
        assert inlet.name in told

    async def test_a_server_that_is_away_is_a_bus_error(self) -> None:
        for one in (self.lost_inlet(), self.lost_outlet()):
            if one is None:
                continue
            try:
                async with asyncio.timeout(SOON):
                    await one.open()
                    if hasattr(one, "send"):
                        await one.send([self.message(1, key="k")])
            except BusError:
                pass
            else:
                raise AssertionError("it took what nobody can have")
            finally:
                await one.close()


async def _trouble(inlet: Inlet) -> str:
    """What is said of a place that is not there; nothing, when it could be opened."""
    try:
        async with asyncio.timeout(SOON):
            await inlet.open()
    except BusError as error:
        return str(error)
    return ""
