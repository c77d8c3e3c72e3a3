"""Turns, places and buckets."""

from __future__ import annotations

from ostinato.errors import Refused
from ostinato.testing.storage_contract.hooks import Hooks, raises, write
from ostinato.testing.storage_contract.samples import place, turn


class LimitPromises(Hooks):
    async def test_turns_are_kept_in_the_order_in_which_they_came(self) -> None:
        async with self.opened() as storage:
            for one in (turn("r2"), turn("r1", "b"), turn("r1", "a")):
                await write(storage, turns={one.owner: one})
            assert await storage.turns() == [turn("r2"), turn("r1", "b"), turn("r1", "a")]

    async def test_a_turn_that_is_served_becomes_places(self) -> None:
        async with self.opened() as storage:
            await write(storage, turns={turn().owner: turn()})
            taken = [place("a", 0), place("b", 3)]
            await write(storage, served=[turn().owner], places=taken, buckets={"c": 5})
            assert await storage.turns() == []
            assert sorted(await storage.places(), key=lambda one: one.name) == taken
            assert await storage.buckets() == {"c": 5}
            await write(storage, served=[turn().owner], buckets={"c": 7, "d": 1})
            assert await storage.buckets() == {"c": 7, "d": 1}
            await write(storage, buckets={"c": None, "never": None, "d": 2})
            assert await storage.buckets() == {"d": 2}

    async def test_a_place_has_one_owner(self) -> None:
        async with self.opened() as storage:
            await write(storage, places=[place("a", 0, "r1")])
            await raises(Refused, write(storage, places=[place("a", 0, "r2")]))
            await raises(Refused, write(storage, places=[place("b", 0), place("b", 0, "r2")]))
            assert await storage.places() == [place("a", 0, "r1")]

    async def test_what_is_freed_is_free_in_the_same_batch(self) -> None:
        async with self.opened() as storage:
            waits = turn("r1", "k")
            await write(storage, places=[place("a", 0, "r1"), place("b", 0, "r1", "other")])
            await write(storage, turns={waits.owner: waits})
            freed = [("r1", "p/j"), ("r1", "k"), ("nobody", "x")]
            await write(storage, freed=freed, places=[place("a", 0, "r2")])
            found = sorted(await storage.places(), key=lambda one: one.name)
            assert found == [place("a", 0, "r2"), place("b", 0, "r1", "other")]
            assert await storage.turns() == []

    async def test_who_frees_and_waits_again_stands_at_the_end(self) -> None:
        async with self.opened() as storage:
            first, second = turn("r1"), turn("r2")
            await write(storage, turns={first.owner: first, second.owner: second})
            await write(storage, freed=[first.owner], turns={first.owner: first})
            assert await storage.turns() == [second, first]
