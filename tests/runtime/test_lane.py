"""One bus's way out: what it does not take alone holds up only what must not pass it."""

import asyncio

import pytest

from ostinato import App
from ostinato.core.cloudevents import Event
from ostinato.errors import BusError, Unsent, UsageError
from ostinato.ports import LetterQuery, Outgoing, Page
from ostinato.runtime import lane, late
from ostinato.runtime.lane import Lane
from ostinato.runtime.late import Late
from ostinato.runtime.posts import Keep


class Far:
    """Takes all but what is ``bad``; ``orders`` are said by the subject."""

    def __init__(self):
        self.bad, self.refused, self.away = set(), set(), False
        self.asked, self.taken = [], []
        self.more = asyncio.Event()

    def order_of(self, event):
        return event.subject

    async def send(self, events):
        events = list(events)
        self.asked.append([one.id for one in events])
        self.more.set()
        if self.away:
            raise BusError("away")
        failed, barred = set(), set()
        for one in events:
            if one.id in self.bad or one.subject in barred:
                failed.add((one.source, one.id))
                barred |= {one.subject} - {None}
            elif one.id not in self.refused:
                self.taken.append(one.id)
        never = {("s", id): UsageError("never") for id in self.refused}
        if failed or never:
            raise Unsent("some are to come again", frozenset(failed), never)

    async def subscribe(self, type, deliver):
        raise AssertionError


@pytest.fixture(autouse=True)
def brief(monkeypatch):
    monkeypatch.setattr(late, "FIRST", 0.02)
    monkeypatch.setattr(late, "MOST", 0.05)
    monkeypatch.setattr(lane, "PAUSE", 0.01)
    monkeypatch.setattr(lane, "SOON", 0.01)


@pytest.fixture
async def out():
    async with App(store="memory:") as app:
        bus = Far()
        outbox = app.service.outbox
        outbox.lanes["far"] = Lane(app.service.engine, "far", bus)
        outbox._others.append(outbox.lanes["far"])
        yield app, bus


async def say(app, *ids, order=None):
    events = [Event(id, "s", "T", 1, order, b"{}") for id in ids]
    rows = [Outgoing(event, "r1", bus="far") for event in events]
    await app.service.ask(lambda answer: Keep(answer, outgoing=rows))
    app.service.outbox.expect("", ["far"])
    app.service.engine.wake.set()


async def until(true):
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0)


async def test_what_is_not_taken_holds_up_nothing_else_and_comes_again(out):
    app, bus = out
    bus.bad = {"bad"}
    await say(app, "bad", "a")
    await until(lambda: bus.taken == ["a"])
    await say(app, "b")
    await until(lambda: bus.taken == ["a", "b"])
    bus.bad = set()
    await until(lambda: "bad" in bus.taken)
    await until(lambda: not app.service.outbox.lanes["far"].trouble)
    assert await app.storage.outbox(9, bus="far") == []


async def test_more_than_a_lot_that_nobody_takes_stand_in_nobodys_way(out, monkeypatch):
    app, bus = out
    monkeypatch.setattr(lane, "MANY", 4)
    bus.bad = {f"bad{n}" for n in range(11)}
    await say(app, *sorted(bus.bad), "good")
    await until(lambda: bus.taken == ["good"])
    assert len(await app.storage.outbox(99, bus="far")) == 11


async def test_what_waits_for_its_time_is_not_tried_with_the_others(out, monkeypatch):
    app, bus = out
    monkeypatch.setattr(late, "FIRST", 60)
    monkeypatch.setattr(late, "MOST", 60)
    bus.bad = {"bad"}
    await say(app, "bad")
    await until(lambda: bus.asked)
    for number in range(5):
        await say(app, f"a{number}")
        await until(lambda number=number: f"a{number}" in bus.taken)
    assert sum("bad" in asked for asked in bus.asked) == 1


async def test_nothing_passes_what_is_late_in_its_order(out):
    app, bus = out
    bus.bad = {"k1"}
    await say(app, "k1", order="k")
    await until(lambda: bus.asked)
    for id in ("k2", "k3"):
        await say(app, id, order="k")
    await say(app, "other", order="o")
    await until(lambda: bus.taken == ["other"])
    bus.bad = set()
    await until(lambda: len(bus.taken) == 4)
    assert bus.taken == ["other", "k1", "k2", "k3"]


async def test_what_is_refused_later_is_a_letter_and_its_order_goes_on(out):
    app, bus = out
    bus.bad = {"k1"}
    await say(app, "k1", "k2", order="k")
    await until(lambda: bus.asked)
    bus.bad, bus.refused = set(), {"k1"}
    await until(lambda: bus.taken == ["k2"])
    [letter] = await app.dead_letters(LetterQuery(kind="outgoing"), Page())
    assert letter.event_id == "k1"


async def test_a_bus_that_is_away_keeps_what_was_late(out):
    app, bus = out
    bus.bad = {"bad"}
    await say(app, "bad", "a")
    await until(lambda: bus.taken == ["a"])
    bus.away = True
    await say(app, "b")
    asked = len(bus.asked)
    await until(lambda: len(bus.asked) > asked + 2)
    bus.away = False
    await until(lambda: bus.taken == ["a", "b"])


async def test_what_another_process_has_by_now_is_forgotten(out):
    app, bus = out
    bus.bad = {"bad"}
    await say(app, "bad")
    await until(lambda: bus.asked)
    [row] = await app.storage.outbox(9, bus="far")
    await app.service.ask(lambda answer: Keep(answer, sent=[row.number]))
    there = app.service.outbox.lanes["far"]
    await until(lambda: not there._late)


async def test_so_many_are_late_that_nothing_new_is_tried(out, monkeypatch):
    app, bus = out
    monkeypatch.setattr(late, "FULL", 3)
    bus.bad = {f"bad{n}" for n in range(3)}
    await say(app, *sorted(bus.bad))
    await until(lambda: bus.asked)
    await say(app, "new")
    asked = len(bus.asked)
    await until(lambda: len(bus.asked) > asked + 3)
    assert bus.taken == []
    bus.bad = set()
    await until(lambda: len(bus.taken) == 4)


def test_pauses_grow_with_tries_alone(monkeypatch):
    monkeypatch.setattr(late, "FIRST", 1)
    monkeypatch.setattr(late, "MOST", 30)
    there, pauses = Late(), []
    for _ in range(7):
        there.lose(1, "k", 0, tried=True)
        pauses.append(there.next_due())
    there.lose(1, "k", 0, tried=False)
    assert (pauses, there.next_due()) == ([1, 2, 4, 8, 16, 30, 30], 30)
    assert (there.holds("k", {2}), there.holds("k", {1}), there.holds("o", ())) == (
        True,
        False,
        False,
    )
    there.win([1, 2])
    assert (len(there), there.holds("k", ()), there.next_due()) == (0, False, None)
