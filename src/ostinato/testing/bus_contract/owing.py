"""What is not acknowledged comes again, under the same id."""

from __future__ import annotations

from ostinato.testing.bus_contract.hooks import Hooks


class OwingPromises(Hooks):
    async def test_what_is_done_never_comes_again(self) -> None:
        place = await self.make_place()
        await self.send(place, [self.message(number, key="k") for number in range(3)])
        async with self.reading(place) as inlet:
            await self.take(inlet, 3)
        await self.send(place, [self.message(9, key="k")])
        async with self.reading(place) as inlet:
            [found] = await self.take(inlet, 1)
        assert self.bodies([found.message]) == self.bodies([self.message(9)])

    async def test_what_was_in_hand_comes_again_to_the_next_reader(self) -> None:
        place = await self.make_place()
        await self.send(place, [self.message(number, key="k") for number in range(3)])
        async with self.reading(place) as inlet:
            before = await self.take(inlet, 3, done=False)
        async with self.reading(place) as inlet:
            after = await self.take(inlet, 3)
        assert {one.message.id for one in after} == {one.message.id for one in before}

    async def test_of_one_lot_some_are_done_and_the_rest_comes_again(self) -> None:
        """What is done may come again where the bus acknowledges up to a place only; what is not
        done must."""
        place = await self.make_place()
        await self.send(place, [self.message(number, key="k") for number in range(4)])
        async with self.reading(place) as inlet:
            held = await self.take(inlet, 4, done=False)
            await inlet.done(held[:2])
        async with self.reading(place) as inlet:
            after = await self.take(inlet, 2)
        assert {one.message.id for one in after} == {one.message.id for one in held[2:]}

    async def test_what_is_given_back_comes_again(self) -> None:
        place = await self.make_place()
        await self.send(place, [self.message(number, key="k") for number in range(3)])
        async with self.reading(place) as inlet:
            held = await self.take(inlet, 3, done=False)
            await inlet.done(held[:1])
            await inlet.again(held[1:])
            after = await self.take(inlet, 2)
        assert [one.message.id for one in after] == [one.message.id for one in held[1:]]

    async def test_acknowledging_out_of_order_loses_nothing(self) -> None:
        place = await self.make_place()
        await self.send(place, [self.message(number, key="k") for number in range(4)])
        async with self.reading(place) as inlet:
            held = await self.take(inlet, 4, done=False)
            await inlet.done(held[2:])
            await inlet.done(held[:1])
        async with self.reading(place) as inlet:
            found = {one.message.id for one in await self.take(inlet, 1)}
        assert held[1].message.id in found
