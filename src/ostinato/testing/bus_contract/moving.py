"""What goes out comes in."""

from __future__ import annotations

import asyncio

from ostinato.ports.buses import Inlet, Message
from ostinato.testing.bus_contract.hooks import SOON, Hooks


class MovingPromises(Hooks):
    async def test_what_goes_out_comes_in_whole(self) -> None:
        place = await self.make_place()
        sent = self.message(1, key="k1")
        await self.send(place, [sent])
        async with self.reading(place) as inlet:
            [received] = await self.take(inlet, 1)
        found = received.message
        assert self.bodies([found]) == self.bodies([sent])
        assert {name: found.headers.get(name) for name in sent.headers} == sent.headers
        assert found.id
        assert not self.has_keys or found.key == "k1"

    async def test_text_of_every_alphabet_and_an_empty_object_arrive(self) -> None:
        place = await self.make_place()
        bodies = ['{"text": "Ünï ☃ 日本 \U0001f600 \\u0000"}'.encode(), b"{}"]
        first = self.message(1, key="k")
        sent = [type(first)(body=b, key="k", headers=first.headers) for b in bodies]
        await self.send(place, sent)
        async with self.reading(place) as inlet:
            found = [one.message for one in await self.take(inlet, 2)]
        assert sorted(self.bodies(found)) == sorted(self.bodies(sent))

    async def test_each_has_an_id_of_its_own(self) -> None:
        place = await self.make_place()
        await self.send(place, [self.message(number, key="k") for number in range(20)])
        async with self.reading(place) as inlet:
            found = await self.take(inlet, 20)
        assert len({one.message.id for one in found}) == 20

    async def test_a_fetch_gives_at_most_what_was_asked_for(self) -> None:
        place = await self.make_place()
        await self.send(place, [self.message(number, key="k") for number in range(5)])
        async with self.reading(place) as inlet:
            found = await self.take(inlet, 1)
            assert len(found) == 1
            assert len(await self.take(inlet, 4)) == 4

    async def test_a_fetch_waits_for_the_first_one(self) -> None:
        place = await self.make_place()
        async with self.reading(place) as inlet:
            taking = asyncio.create_task(self.take(inlet, 1))
            await asyncio.sleep(0)
            await self.send(place, [self.message(1, key="k")])
            async with asyncio.timeout(SOON):
                assert len(await taking) == 1

    async def test_a_fetch_with_nothing_there_ends(self) -> None:
        place = await self.make_place()
        async with self.reading(place) as inlet, asyncio.timeout(SOON):
            assert list(await inlet.fetch(10)) == []

    async def test_messages_of_one_key_keep_their_order(self) -> None:
        place = await self.make_place()
        keys = ("a", "b", "c")
        sent = [self.message(number, key=keys[number % 3]) for number in range(60)]
        async with self.writing(place) as outlet:
            for lot in (sent[:7], sent[7:40], sent[40:]):
                assert list(await outlet.send(lot)) == [None] * len(lot)
        async with self.reading(place) as inlet:
            found = [one.message for one in await self.take(inlet, 60)]
        assert sorted(self.bodies(found)) == sorted(self.bodies(sent))
        if self.keeps_order and self.has_keys:
            for key in keys:
                wanted = self.bodies(one for one in sent if one.key == key)
                assert self.bodies(one for one in found if one.key == key) == wanted

    async def test_two_readers_share_what_is_there(self) -> None:
        place = await self.make_place()
        sent = [self.message(number, key=f"k{number % 7}") for number in range(100)]
        await self.send(place, sent)
        found: list[Message] = []
        enough = asyncio.Event()

        async def read(inlet: Inlet) -> None:
            """At the same time as the other one: which of them has what is the bus's to say."""
            while not enough.is_set():
                more = await inlet.fetch(10)
                await inlet.done(more)
                found.extend(one.message for one in more)
                if len({one.body for one in found}) == 100:
                    enough.set()

        async with self.reading(place) as first, self.reading(place) as second:
            async with asyncio.timeout(2 * SOON + self.redelivers_after):
                await asyncio.gather(read(first), read(second))
        assert sorted(set(self.bodies(found))) == sorted(self.bodies(sent))

    async def test_closing_ends_a_fetch_that_waits(self) -> None:
        place = await self.make_place()
        inlet = self.inlet(place)
        await inlet.open()
        fetching = asyncio.create_task(inlet.fetch(1))
        await asyncio.sleep(0)
        fetching.cancel()
        await asyncio.gather(fetching, return_exceptions=True)
        async with asyncio.timeout(SOON):
            await inlet.close()

    async def test_closing_twice_or_before_opening_is_harmless(self) -> None:
        place = await self.make_place()
        inlet, outlet = self.inlet(place), self.outlet(place)
        for one in (inlet, outlet):
            await one.close()
            await one.open()
            await one.close()
            await one.close()

    async def test_it_opens_again_after_it_was_closed(self) -> None:
        place = await self.make_place()
        inlet, outlet = self.inlet(place), self.outlet(place)
        for number in range(2):
            await outlet.open()
            await inlet.open()
            assert list(await outlet.send([self.message(number, key="k")])) == [None]
            assert len(await self.take(inlet, 1)) == 1
            await inlet.close()
            await outlet.close()
