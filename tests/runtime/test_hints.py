"""What crosses processes is found by hints. The slow look is the net below: never what wakes a run.

Where it is proved, nobody looks by itself at all, and all is done.
"""

import asyncio
import contextlib
from datetime import timedelta

import pytest

from ostinato.app import App
from ostinato.app.elsewhere import Done, Fetch
from ostinato.config import Settings
from ostinato.core.run_ids import partition_of_uid
from ostinato.ports import MISSED, RunQuery
from ostinato.runtime import distant, errands, mailroom
from tests.runtime.test_membership import Time, has, process, table, time
from tests.stage import one_job, reached, until

__all__ = ["Time", "table", "time"]

NEVER = 10**9
TOPIC = "elsewhere, at 100%2C"
MANY = 12

DOCUMENTS = [
    one_job({"wait": {"event": "GO", "match": {"data": {"n": ["${ input.n }"]}}}}, "waits"),
    one_job({"run": "noop"}, "limited", concurrency={"limit": 2}),
    one_job({"run": "noop"}, "queued", uid={"open": "queue"}),
    one_job(
        {"call": {"workflow": "waits", "uid": "input.uid"}, "with": {"n": "${ input.n }"}}, "calls"
    ),
    one_job({"run": TOPIC}, "far"),
    one_job({"emit": {"type": "SAID", "data": {"n": "${ input.n }"}}}, "says"),
    one_job({"run": "noop"}, "hears", on=[{"event": "SAID", "uid": "event.data.n"}]),
]


@pytest.fixture
def never(monkeypatch):
    for module in (mailroom, errands, distant):
        monkeypatch.setattr(module, "SAFETY", NEVER)


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.real)])
def make(request):
    """Apps at one store, each as a process of its own would be."""
    if request.param == "memory":
        table, time = (request.getfixturevalue(name) for name in ("table", "time"))
        return lambda: process(table, time)
    url = request.getfixturevalue("new_database")()
    return lambda: App(Settings(store=url, drain=timedelta(seconds=2)))


@contextlib.asynccontextmanager
async def three(make):
    async with make() as first, make() as second, make() as third:
        apps = [first, second, third]
        for document in DOCUMENTS:
            await first.deploy(document)
        for app in apps:
            await shares(app)
        yield apps


async def shares(app):
    """It has its third, or all but one of it."""
    while app._service is None or not 20 <= len(app.service.engine.territory.owned) <= 22:
        await asyncio.sleep(0)


def uid_of(app, n):
    """One whose home is this process's."""
    return next(
        uid for uid in (f"{n}-{i}" for i in range(999))
        if partition_of_uid(uid) in app.service.engine.territory.owned
    )  # fmt: skip


async def use_all(app, other, n):
    """Everything that can cross, asked of one about what is another's."""
    begun = [
        await other.start_run("waits", {"n": n}),
        await app.start_run("waits", {"n": n}, uid=uid_of(other, n)),
        await app.start_run("calls", {"n": n, "uid": uid_of(other, n)}),
        *[await app.start_run("limited", {}) for _ in range(3)],
        *[await app.start_run("queued", {}, uid=uid_of(other, -n - 1)) for _ in range(3)],
        await app.start_run("says", {"n": n}),
        await other.start_run("far", {}),
    ]
    dropped = await other.start_run("waits", {"n": -n - 1})
    await reached(app, dropped.id, "job.waiting")
    assert (await app.cancel(dropped.id)).status == "cancelled"
    await reached(app, begun[2].id, "job.called")
    await app.emit("GO", {"n": n})
    [job] = await app.fetch_jobs(Fetch([TOPIC], "w", wait=60_000))
    await app.complete_job(job.id, Done(token=job.token))
    for run in begun:
        assert (await app.wait_ended(run.id, None)).status == "succeeded"


async def test_all_that_crosses_is_done_while_nobody_looks_by_itself(make, never):
    async with three(make) as apps:
        pairs = [(one, other) for one in apps for other in apps if one is not other]
        await asyncio.gather(*[use_all(*pairs[n % 6], n) for n in range(MANY)])
        while await apps[0].count_runs(RunQuery(workflow="hears", status=("succeeded",))) < MANY:
            await asyncio.sleep(0)
        for service in (app.service for app in apps):
            assert (service.room.unhinted, service.errands.unhinted) == (0, 0)
        while await apps[0].storage.mail():
            await asyncio.sleep(0)


async def test_who_waits_for_jobs_hears_of_a_topic_whatever_its_name(make, never):
    async with three(make) as (first, second, _):
        waiting = asyncio.create_task(second.fetch_jobs(Fetch([TOPIC], "w", wait=60_000)))
        while not second.service.jobs.offers:
            await asyncio.sleep(0)
        run = await first.start_run("far", {})
        [job] = await waiting
        assert job.id.startswith(run.id)


@contextlib.asynccontextmanager
async def two_and_runs(table, time, count):
    """Two processes, and runs of the first."""
    async with process(table, time, DOCUMENTS[0]) as first, process(table, time) as second:
        for app in (first, second):
            await until(lambda app=app: app._service and has(app) == 32)
        yield first, second, [await first.start_run("waits", {"n": n}) for n in range(count)]


async def test_an_answer_is_heard_of_while_another_one_is_read(table, time):
    async with two_and_runs(table, time, 2) as (_, second, runs):
        hearers, reply = second.service.news.hearers, second.storage.reply
        hear, hinted, reading, go_on = hearers["reply"], [], asyncio.Event(), asyncio.Event()
        hearers["reply"] = hinted.append

        async def slow_reply(*which):
            reading.set()
            await go_on.wait()
            return await reply(*which)

        second.storage.reply = slow_reply
        asked = [asyncio.create_task(second.cancel(run.id)) for run in runs]
        await until(lambda: len(hinted) == len(second.service.errands._waiting) == 2)
        hear(hinted[0])
        await reading.wait()
        hear(hinted[1])
        go_on.set()
        await asyncio.gather(*asked)


async def test_an_answer_may_be_heard_of_before_it_is_known_that_the_errand_was_stored(table, time):
    async with two_and_runs(table, time, 1) as (first, second, [run]):
        commit, hearers = second.storage.commit, second.service.news.hearers
        heard, hear = asyncio.Event(), hearers["reply"]
        hearers["reply"] = lambda key: (hear(key), heard.set())

        async def late(batch):
            await commit(batch)
            if batch.mail:
                first.service.room.look()
                await heard.wait()

        second.storage.commit = late
        assert (await second.cancel(run.id)).status == "cancelled"


def deafen(app):
    """It is told nothing any more."""
    app._membership.members.listen(lambda words: None)


async def test_what_nobody_has_hinted_at_is_found_by_a_slow_look(table, time):
    async with two_and_runs(table, time, 1) as (first, second, [run]):
        for app in (first, second):
            deafen(app)
        asked = asyncio.create_task(second.cancel(run.id))
        await until(lambda: second.service.errands._waiting)
        assert first.service.engine.residents.get(run.id) is not None
        look_slowly(time, first)
        await until(lambda: first.service.engine.residents.get(run.id) is None)
        assert not asked.done()
        look_slowly(time, second)
        assert (await asked).status == "cancelled"
        look_slowly(time, first)
        await until(lambda: first.service.room.unhinted)
        assert (first.service.room.unhinted, second.service.errands.unhinted) == (1, 1)


def look_slowly(time, app):
    time.now += mailroom.SAFETY
    app.service.engine.wake.set()


async def test_who_has_ended_hears_nothing_more(table, time):
    async with two_and_runs(table, time, 1) as (first, second, _):
        await second.close()
        assert not second._news.hearers
        assert first._news.hearers


async def test_who_was_cut_off_looks_at_once(table, time):
    async with two_and_runs(table, time, 1) as (first, second, [run]):
        for app in (first, second):
            deafen(app)
        asked = asyncio.create_task(second.cancel(run.id))
        await until(lambda: second.service.errands._waiting)
        first.service.news.heard([MISSED])
        await until(lambda: first.service.engine.residents.get(run.id) is None)
        second.service.news.heard([MISSED])
        assert (await asked).status == "cancelled"
        assert (first.service.room.unhinted, second.service.errands.unhinted) == (0, 0)
