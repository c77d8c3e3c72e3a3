"""Waits and events meet, also when the store does not answer for a while."""

import asyncio

import pytest
from msgspec import Raw

from ostinato.core.commands import OpenWait
from ostinato.errors import StoreError
from ostinato.ports import Wait
from ostinato.runtime.meeting import Meeting
from ostinato.testing.storage_contract.samples import event

EVENT = (event("e1"), ("k",), Raw(b"{}"))


class Engine:
    """Its store knows the waits of ``runs``, unless it is ``away``, and notes what it is asked."""

    def __init__(self, apart=0):
        self.storage, self.wake, self.apart = self, asyncio.Event(), apart
        self.runs, self.away, self.posts, self.asked = [], False, [], []

    async def find_waits(self, type, keys, pair):
        self._answers(type, keys, pair)
        return [Wait(run_id, "p/j", type, "k", None) for run_id in self.runs]

    async def early_events(self, type, values_key, since, run_id):
        self._answers(type, values_key, since, run_id)
        return []

    def _answers(self, *asked):
        if self.away:
            raise StoreError("away")
        self.asked.append(asked)

    def post(self, post):
        self.posts.append(post.run_id)


@pytest.fixture
def engine():
    return Engine()


@pytest.fixture
def meeting(engine):
    return Meeting(engine)


def begin(meeting, since=None):
    meeting.on_wait("r1", OpenWait("p/j", ("PAID", "LOST"), (), "k", since))


async def test_the_store_says_which_waits_hear_of_an_event(engine, meeting):
    engine.runs = ["r1", "r2"]
    meeting.on_event(*EVENT)
    await meeting.run_once(0)
    assert engine.asked == [("PAID", ("k",), ("shop", "e1"))]
    assert engine.posts == ["r1", "r2"]


async def test_while_the_store_is_away_everything_waits(engine, meeting):
    engine.runs, engine.away = ["r1"], True
    meeting.on_event(*EVENT)
    begin(meeting, since=7)
    for _ in range(2):
        with pytest.raises(StoreError):
            await meeting.run_once(0)
    engine.away = False
    assert await meeting.run_once(0) == 2
    assert await meeting.run_once(0) == 0
    assert engine.posts == ["r1"]
    assert engine.asked[1:] == [("PAID", "k", 7, "r1"), ("LOST", "k", 7, "r1")]


async def test_a_wait_looks_back_further_where_clocks_are_apart():
    engine = Engine(apart=5)
    meeting = Meeting(engine)
    begin(meeting, since=7)
    await meeting.run_once(0)
    assert engine.asked == [("PAID", "k", 2, "r1"), ("LOST", "k", 2, "r1")]


async def test_a_wait_that_does_not_look_back_asks_for_nothing(engine, meeting):
    begin(meeting)
    assert await meeting.run_once(0) == 0
    assert engine.asked == []
