"""Waits and events meet, also when the store does not answer for a while."""

import asyncio

import pytest
from msgspec import Raw

from ostinato.core.commands import OpenWait
from ostinato.errors import StoreError
from ostinato.ports import Wait
from ostinato.runtime.meeting import Meeting

EVENT = ("PAID", ("k",), Raw(b"{}"))


class Engine:
    """Its store knows the waits of ``runs``, unless it is ``away``."""

    def __init__(self):
        self.storage, self.wake = self, asyncio.Event()
        self.runs, self.away, self.posts = [], False, []

    async def find_waits(self, type, keys):
        if self.away:
            raise StoreError("away")
        return [Wait(run_id, "p/j", type, "k", None) for run_id in self.runs]

    def post(self, post):
        self.posts.append(post.run_id)


@pytest.fixture
def engine():
    return Engine()


@pytest.fixture
def meeting(engine):
    return Meeting(engine)


def begin(engine, meeting, run_id):
    engine.runs.append(run_id)
    meeting.on_wait(run_id, OpenWait("p/j", ("PAID",), (), "k", None))


async def fails(meeting):
    with pytest.raises(StoreError):
        await meeting.run_once(0)


async def test_a_wait_hears_of_an_event_that_comes_later(engine, meeting):
    begin(engine, meeting, "r1")
    meeting.on_event(*EVENT)
    await meeting.run_once(0)
    assert engine.posts == ["r1"]


async def test_a_wait_that_began_while_the_store_was_away_hears_of_nothing_before_it(
    engine, meeting
):
    begin(engine, meeting, "r1")
    meeting.on_event(*EVENT)
    engine.away = True
    await fails(meeting)
    begin(engine, meeting, "r2")
    engine.away = False
    await meeting.run_once(0)
    assert engine.posts == ["r1"]


async def test_but_of_what_comes_after_it(engine, meeting):
    engine.away = True
    meeting.on_event(*EVENT)
    await fails(meeting)
    begin(engine, meeting, "r2")
    meeting.on_event(*EVENT)
    await fails(meeting)
    engine.away = False
    await meeting.run_once(0)
    assert engine.posts == ["r2"]


async def test_what_is_stored_in_one_commit_meets(engine, meeting):
    """Neither was before the other; so does the store say after a crash."""
    meeting.on_event(*EVENT)
    begin(engine, meeting, "r1")
    await meeting.run_once(0)
    assert engine.posts == ["r1"]
