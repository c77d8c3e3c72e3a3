"""What goes wrong for one is told to that one: the others, and the log, lose nothing."""

import asyncio

import pytest
from structlog.testing import capture_logs

from ostinato import App
from ostinato.core.decide import advance
from ostinato.errors import StoreError
from ostinato.storage.memory import MemoryStorage

SMALL = "{workflow: small, on: [{event: GO}], phases: [{phase: p, jobs: [{job: j, wait: 1h}]}]}"
LARGE = """
workflow: large
on: [{event: GO}]
phases:
  - phase: p
    jobs: [{job: j, set: {a: 1}, each: {in: "[1, 2, 3, 4, 5, 6, 7, 8]", as: item}}]
"""


async def test_a_trigger_that_cannot_start_is_a_dead_letter_and_the_others_go_on(monkeypatch):
    monkeypatch.setitem(advance.__globals__, "MAX_FACTS", 10)
    async with App(store="memory:") as app:
        await app.deploy(LARGE)
        await app.deploy(SMALL)
        accepted = await app.emit("GO", {})
        (run,) = accepted.runs
        assert (await app.run_view(run)).workflow == "small"
        assert [letter["trigger"] for letter in accepted.dead_letters] == ["large/on/0"]


async def test_the_log_says_where_a_handler_raised():
    app = App(store="memory:")

    @app.handler("bad")
    async def bad() -> None:
        raise LookupError("nowhere to be found")

    async with app:
        await app.deploy(
            "{workflow: w, phases: [{phase: p, jobs: [{job: j, run: bad, retry: 1}]}]}"
        )
        with capture_logs() as told:
            await app.wait_ended((await app.start("w")).id, 10)
    (line,) = [entry for entry in told if entry["event"] == "job.raised"]
    assert line["job"] == "p/j"
    assert "in bad" in line["exception"]
    assert "LookupError: nowhere to be found" in line["exception"]


async def test_who_comes_while_the_store_fails_is_told_and_not_kept_waiting(monkeypatch):
    storage = MemoryStorage()
    async with App(storage=storage, store="memory:") as app:
        await app.deploy(SMALL)
        join, failing = storage.join, asyncio.Event()

        async def broken() -> int:
            failing.set()
            raise StoreError("the disk is full")

        monkeypatch.setattr(storage, "join", broken)
        storage.next_commit = "lost"
        first = asyncio.create_task(app.start("small"))
        await asyncio.wait_for(failing.wait(), 10)
        with pytest.raises(StoreError, match="the disk is full"):
            await asyncio.wait_for(app.start("small"), 10)
        assert app.health()["reason"] == "the store fails"
        monkeypatch.setattr(storage, "join", join)
        assert (await first).id  # its own commit was in doubt: it is done once the store answers
