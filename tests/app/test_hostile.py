"""What careless and hostile users did: each of these once hung a run or hurt its neighbours."""

import asyncio
import dataclasses
import os
import sqlite3

import pytest

from ostinato import App, Fail, Retry
from ostinato.app.run import RunEnded
from ostinato.errors import InvalidInput, StoreError
from ostinato.storage.sqlite import SqliteStorage


def one(name, run, **job):
    return {"workflow": name, "phases": [{"phase": "p", "jobs": [{"job": "j", "run": run, **job}]}]}


@dataclasses.dataclass
class Node:
    next: object = None


class Mute:
    def __str__(self):
        raise SystemExit


def _loop():
    node = Node()
    node.next = node
    return node


def _fail():
    raise Fail("x", name=Mute())


def _error():
    raise type("Bad", (Exception,), {"__str__": Mute.__str__})


@pytest.mark.parametrize(
    "give",
    [lambda: b"\xff", _loop, lambda: Retry(message=Mute()), _fail, _error],
    ids=["bytes", "loop", "retry", "fail", "error"],
)
async def test_whatever_a_handler_gives_its_run_ends(give):
    app = App(store="memory:")

    @app.handler("hostile")
    async def hostile():
        return give()

    async with app:
        await app.deploy(one("w", "hostile", retry=1))
        run = await app.start("w")
        with pytest.raises(RunEnded):
            await run.result(timeout=5)


async def test_a_handler_that_cancels_itself_does_not_cancel_the_next():
    app = App(store="memory:", slots={"handlers": 1})

    @app.handler("self")
    async def itself():
        asyncio.current_task().cancel()

    @app.handler("innocent")
    async def innocent():
        await asyncio.sleep(0)
        return "well"

    async with app:
        await app.deploy(one("a", "self"))
        await app.deploy(one("b", "innocent", retry=1))
        runs = await asyncio.gather(app.start("a"), app.start("b"))
        assert await runs[1].result(timeout=5) == {"j": "well"}


async def test_handlers_that_start_runs_do_not_wait_for_their_own_slots():
    app = App(store="memory:", limits={"ready": 5}, slots={"handlers": 2})

    @app.handler("spawn")
    async def spawn(app: App):
        await app.start("child")

    async with app:
        await app.deploy(one("child", "noop"))
        await app.deploy(one("w", "spawn", each={"in": "input.l", "as": "i", "at_once": 100}))
        run = await app.start("w", l=list(range(20)))
        assert await run.result(timeout=5) == {"j": [None] * 20}


async def test_a_run_that_cannot_be_read_does_not_stop_the_timers_of_others(tmp_path):
    waiting = {"workflow": "w", "phases": [{"phase": "p", "jobs": [{"job": "j", "wait": "300ms"}]}]}
    file = tmp_path / "o.db"
    async with App(store=f"sqlite:///{file}") as app:
        await app.deploy(waiting)
        broken = await app.start("w")
    with sqlite3.connect(file) as db:
        db.execute("UPDATE history SET version = 99 WHERE run_id = ?", (broken.id,))
    db.close()
    async with App(store=f"sqlite:///{file}") as app:
        await asyncio.sleep(0.5)
        run = await app.start("w")
        await run.result(timeout=5)


async def test_a_number_beyond_all_is_the_callers_error():
    from msgspec import Raw

    async with App(store="memory:") as app:
        await app.deploy(one("w", "noop"))
        with pytest.raises(InvalidInput, match="cannot be read"):
            await app.start_run("w", Raw(b'{"x": 1e400}'))


async def test_a_file_with_two_names_is_refused(tmp_path):
    file = tmp_path / "o.db"
    store = SqliteStorage(file)
    await store.open()
    await store.close()
    os.link(file, tmp_path / "other.db")
    with pytest.raises(StoreError, match="more than one name"):
        await SqliteStorage(tmp_path / "other.db").open()
