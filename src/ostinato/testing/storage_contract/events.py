"""Events: known once, found by waits whichever came first, answered again, sent out in order."""

from __future__ import annotations

from ostinato.core.cloudevents import Event
from ostinato.errors import Refused
from ostinato.ports import Outgoing, Removal, Storage, Wait
from ostinato.testing.storage_contract.hooks import Hooks, raises, write
from ostinato.testing.storage_contract.samples import (
    NOW,
    accepted,
    event,
    outgoing,
    reply,
    wait,
)


class EventPromises(Hooks):
    async def test_a_known_event_comes_back_as_it_was_taken(self) -> None:
        full = accepted(subject="s", extensions={"tenant": "ä"}, description="why")
        bare = accepted("e2", keys=(), source="a/b")
        async with self.opened() as storage:
            await write(storage, events=[full, bare])
            pairs = [("shop", "e1"), ("a/b", "e2"), ("shop", "e2")]
            assert await storage.known_events(pairs) == {pairs[0]: full, pairs[1]: bare}
            assert await storage.known_events([]) == {}

    async def test_thousands_of_events_are_asked_for_at_once(self) -> None:
        async with self.opened() as storage:
            events = {("shop", f"e{n}"): accepted(f"e{n}") for n in range(5000)}
            await write(storage, events=list(events.values()))
            assert await storage.known_events([("shop", f"e{n}") for n in range(9000)]) == events

    async def test_an_event_finds_the_waits_that_are_open(self) -> None:
        async with self.opened() as storage:
            waits = [wait("r1"), wait("r2", since=None), wait("r3", values_key="k2")]
            await write(storage, waits=[*waits, wait("r4", type="OTHER"), wait("r5")])
            await write(storage, closed_waits=[("r5", "paid"), ("r9", "never")])
            assert await storage.find_waits("PAID", ["k1", "k2", "k3"], None) == waits
            assert await storage.find_waits("PAID", [], None) == []

    async def test_a_wait_for_several_types_closes_at_once(self) -> None:
        async with self.opened() as storage:
            await write(storage, waits=[wait(type="PAID"), wait(type="LOST"), wait(key="other")])
            assert await storage.find_waits("LOST", ["k1"], None) == [wait(type="LOST")]
            await write(storage, closed_waits=[("r1", "paid")])
            assert await storage.find_waits("LOST", ["k1"], None) == []
            assert await storage.find_waits("PAID", ["k1"], None) == [wait(key="other")]

    async def test_a_wait_opened_again_replaces_itself(self) -> None:
        async with self.opened() as storage:
            await write(storage, waits=[wait()])
            await write(storage, waits=[wait(values_key="k2", since=None)])
            assert await storage.find_waits("PAID", ["k1"], None) == []
            assert await storage.find_waits("PAID", ["k2"], None) == [
                wait(values_key="k2", since=None)
            ]

    async def test_a_wait_opened_and_closed_in_one_batch_is_closed(self) -> None:
        async with self.opened() as storage:
            await write(storage, waits=[wait()], closed_waits=[("r1", "paid")])
            assert await storage.find_waits("PAID", ["k1"], None) == []

    async def test_an_event_does_not_find_the_waits_that_were_opened_after_it(self) -> None:
        came = "shop", "e1"
        async with self.opened() as storage:
            await write(storage, waits=[wait("r1"), wait("r4")])
            await write(storage, waits=[wait("r2")], events=[accepted()])
            await write(storage, waits=[wait("r3"), wait("r4")])
            everyone = [wait(f"r{number}") for number in range(1, 5)]
            assert await storage.find_waits("PAID", ["k1"], came) == everyone[:2]
            assert await storage.find_waits("PAID", ["k1", "k2"], None) == everyone
            assert await storage.find_waits("PAID", ["k1"], ("shop", "e2")) == everyone
            await write(storage, events=[accepted("e2")])
            assert await storage.find_waits("PAID", ["k1"], ("shop", "e2")) == everyone
            await write(storage, removal=Removal(events=[came]))
            assert await storage.find_waits("PAID", ["k1"], came) == everyone

    async def test_early_events_are_found_back_to_the_given_time(self) -> None:
        async with self.opened() as storage:
            await write(storage, events=[accepted("e3", NOW + 3), accepted("e1", NOW - 1)])
            await write(storage, events=[accepted("e2", NOW, keys=("k0", "k1"))])
            await write(storage, events=[accepted("x", type="X"), accepted("y", keys=("k2",))])
            assert await _early(storage, NOW) == ["e2", "e3"]
            assert await _early(storage, NOW - 1) == ["e1", "e2", "e3"]
            assert await _early(storage, NOW + 4) == []

    async def test_event_then_wait_is_seen_by_every_look(self) -> None:
        async with self.opened() as storage:
            await write(storage, events=[accepted()])
            await write(storage, waits=[wait(since=NOW)])
            await _assert_met(storage, wait(since=NOW))
            assert await storage.early_events("PAID", "k1", NOW, "r1") == [event()]

    async def test_wait_then_event_is_seen_by_every_look(self) -> None:
        async with self.opened() as storage:
            await write(storage, waits=[wait(since=None)])
            await write(storage, events=[accepted()])
            await _assert_met(storage, wait(since=None))

    async def test_wait_and_event_of_one_batch_are_seen_by_every_look(self) -> None:
        async with self.opened() as storage:
            await write(storage, waits=[wait(since=None)], events=[accepted()])
            await _assert_met(storage, wait(since=None))

    async def test_a_wait_that_does_not_look_back_misses_nothing_older(self) -> None:
        async with self.opened() as storage:
            await write(storage, events=[accepted()])
            await write(storage, waits=[wait("r1", since=None), wait("r2", since=NOW + 1)])
            assert await storage.missed() == []

    async def test_what_was_missed_is_known_after_reopening_and_until_the_wait_closes(
        self,
    ) -> None:
        place = self.place()
        async with self.opened(place) as storage:
            await write(storage, waits=[wait(since=None)])
            await write(storage, events=[accepted()])
        async with self.opened(place) as storage:
            await _assert_met(storage, wait(since=None))
            await write(storage, closed_waits=[("r1", "paid")])
            assert await storage.missed() == []

    async def test_an_event_that_came_after_reopening_was_not_there_before(self) -> None:
        place = self.place()
        async with self.opened(place) as storage:
            await write(storage, events=[accepted("e1")])
        async with self.opened(place) as storage:
            await write(storage, waits=[wait(since=None)])
            await write(storage, events=[accepted("e2")])
            assert await storage.missed() == [(wait(since=None), event("e2"))]

    async def test_a_reply_is_given_again_until_it_expires(self) -> None:
        async with self.opened() as storage:
            await write(storage, replies=[reply()])
            assert await storage.reply("POST /runs", "key", NOW + 99) == reply()
            assert await storage.reply("POST /runs", "key", NOW + 100) is None
            assert await storage.reply("POST /events", "key", NOW) is None

    async def test_a_key_is_taken_until_its_reply_expires(self) -> None:
        async with self.opened() as storage:
            await write(storage, replies=[reply()])
            await raises(Refused, write(storage, replies=[reply(at=NOW + 99, digest="d2")]))
            assert await storage.reply("POST /runs", "key", NOW) == reply()
            later = reply(at=NOW + 100, digest="d2")
            await write(storage, replies=[later])
            assert await storage.reply("POST /runs", "key", NOW + 100) == later

    async def test_the_outbox_is_in_the_order_of_commits_until_sent(self) -> None:
        async with self.opened() as storage:
            await write(storage, outgoing=[outgoing("o3"), outgoing("o1", "")])
            await write(storage, outgoing=[outgoing("o2")])
            waiting = await storage.outbox(9)
            assert [item.event.id for item in waiting] == ["o3", "o1", "o2"]
            assert waiting[1] == Outgoing(event("o1", type="run.ended"), "", waiting[1].number)
            assert await storage.outbox(1) == waiting[:1]
            await write(storage, sent=[waiting[0].number, waiting[2].number, 10**9])
            assert await storage.outbox(9) == [waiting[1]]

    async def test_each_bus_has_an_order_of_its_own(self) -> None:
        async with self.opened() as storage:
            buses = {"o1": "", "o2": "far", "o3": "", "o4": "far", "o5": "other"}
            for id, bus in buses.items():
                await write(storage, outgoing=[Outgoing(event(id), "r1", bus=bus)])
            for bus in set(buses.values()):
                found = await storage.outbox(9, bus=bus)
                assert [one.event.id for one in found] == [id for id in buses if buses[id] == bus]
                assert {one.bus for one in found} == {bus}
            assert [one.event.id for one in await storage.outbox(1, bus="far")] == ["o2"]
            assert await storage.backlog() == {"": 2, "far": 2, "other": 1}
            [first, _] = await storage.outbox(9, bus="far")
            await write(storage, sent=[first.number])
            assert [one.event.id for one in await storage.outbox(9, bus="far")] == ["o4"]
            assert len(await storage.outbox(9)) == 2

    async def test_an_event_goes_out_as_it_was_given(self) -> None:
        full = event(subject="s", extensions={"tenant": "ä"}, description="why")
        async with self.opened() as storage:
            await write(storage, outgoing=[Outgoing(full, "r1")])
            assert (await storage.outbox(1))[0].event == full


async def _early(storage: Storage, since: int) -> list[str]:
    found: list[Event] = await storage.early_events("PAID", "k1", since, "r1")
    return [item.id for item in found]


async def _assert_met(storage: Storage, waiting: Wait) -> None:
    assert await storage.find_waits("PAID", ["k1"], None) == [waiting]
    assert await storage.missed() == [(waiting, event())]
