"""A store that is away: who needs it is told so soon, and nobody else waits for it."""

import asyncio

import pytest

from ostinato.app.doing import Once
from ostinato.app.shards import presence
from ostinato.app.shards.presence import Away, Presence
from ostinato.core.shards import event_key, homes, request_key
from ostinato.errors import ConflictError, NotFoundError, ShardAway, StoreError
from ostinato.ports import Page, RunQuery
from ostinato.runtime.desk import Fetch
from tests.app.shards.conftest import heads_in, judged, parts_of, uids_at, until


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """What is found out within moments in these tests would be so within seconds."""
    for name, seconds in (("PATIENCE", 0.01), ("HASTE", 0.05), ("PAUSE", 0.01)):
        monkeypatch.setattr(presence, name, seconds)
    monkeypatch.setattr(presence, "KNOWN_WITHIN", 0.1)


class Cut:
    """A store that answers nothing until it is ``back``: neither reads nor commits."""

    def __init__(self, monkeypatch, part):
        self._back = asyncio.Event()
        self.asked = []
        self._own = {name: getattr(part.storage, name) for name in self.names}
        for name in self.names:
            monkeypatch.setattr(part.storage, name, self._held(name))

    names = (
        "commit",
        "reply",
        "runs",
        "head",
        "known_events",
        "jobs",
        "open_runs",
        "events_by_id",
        "task",
    )

    def _held(self, name):
        async def held(*args, **named):
            self.asked.append(name)
            await self._back.wait()
            return await self._own[name](*args, **named)

        return held

    def back(self):
        self._back.set()


@pytest.fixture
async def cut(files, monkeypatch):
    """A set of two, of which the second is away; a uid of each."""
    async with files.app(2) as app:
        gone = Cut(monkeypatch, parts_of(app)[1])
        yield app, gone, uids_at((2,), (0,), (1,))
        gone.back()


async def test_what_concerns_it_is_told_its_number(cut):
    app, _, (_, theirs) = cut
    once = Once("runs", "key", b"")
    for asked in (
        lambda: app.start("work", uid=theirs),
        lambda: app.start_run("work", {}, uid=theirs, once=once),
        lambda: app.runs(RunQuery(), Page()),
        lambda: app.run_view("nope"),
        lambda: app.emit("GO", id=id_at(1)),
        lambda: app.event("nope"),
        lambda: app.task("nope"),
    ):
        with pytest.raises(ShardAway) as told:
            await asked()
        assert told.value.details["which"] == "store 2 of 2"
    with pytest.raises(ConflictError):  # that is known of the first one
        await app.signal((await app.start("work")).id, "OTHER")


def id_at(home):
    names = (f"e{number}" for number in range(100))
    return next(one for one in names if homes(event_key("ostinato/app", one), (2,)) == (home,))


async def test_what_concerns_others_does_not_wait_for_it(cut):
    app, _, (ours, _) = cut
    first = await app.start("work", uid=ours)
    runs = [await app.start("work") for _ in range(4)]
    assert [await run.result(timeout=20) for run in runs] == [
        {"waits": None, "does": {"uid": None}}
    ] * 4
    told = await app.emit("GO", id=id_at(0))
    assert (await app.run_view(told.runs[0])).id == told.runs[0]
    await app.emit("DONE", {"id": ours}, id=id_at(0), source="ostinato/app2")
    router = app.runs.__self__
    router._owners.clear()  # who has it is found out anew
    assert (await app.run_view(first.id)).id == first.id
    assert len(await heads_in(app, 0)) == 6


TOPIC = """
workflow: far
phases: [{phase: p, jobs: [{job: j, run: far.print}]}]
"""


async def test_a_worker_gets_the_jobs_of_those_that_are_there(files, monkeypatch):
    async with files.app(2, TOPIC) as app:
        gone = Cut(monkeypatch, parts_of(app)[1])
        await parts_of(app)[0].start_run("far", {})
        asked = Fetch(["far.print"], "w", max=5)
        [job] = await until(lambda: app.fetch_jobs(asked))
        assert job.topic == "far.print"
        for _ in range(3):
            assert await app.fetch_jobs(asked) == []
        gone.back()


async def test_it_is_there_again_when_it_answers(cut):
    app, gone, (_, theirs) = cut
    with pytest.raises(ShardAway):
        await app.start("work", uid=theirs)
    gone.back()
    away = app.runs.__self__.presences[1]
    while away.away is not None:
        await asyncio.sleep(0)
    run = await app.start("work", uid=theirs)
    assert [head.run_id for head in await heads_in(app, 1)] == [run.id]
    assert not await judged(app)


async def test_what_was_deployed_meanwhile_is_there_when_it_is_back(cut):
    """An event that starts a run there by that waits for it."""
    app, gone, (_, theirs) = cut
    with pytest.raises(ShardAway, match="store 2 of 2"):
        await app.deploy(LATER)
    told = await app.emit("LATER", {"id": theirs}, id=id_at(0))
    assert told.runs == []
    gone.back()
    [head] = await until(lambda: heads_in(app, 1))
    assert (head.workflow, head.uid) == ("later", theirs)
    assert not await judged(app)


LATER = """
workflow: later
on: [{event: LATER, uid: event.data.id}]
phases: [{phase: p, jobs: [{job: a, run: noop}]}]
"""


async def test_what_was_refused_and_not_begun_is_not_done_later(cut):
    """A start without a key that nobody waits for would be one too many."""
    app, gone, _ = cut
    router, engine = app.runs.__self__, parts_of(app)[1].service.engine

    async def start():
        await router.at(1, lambda part: part.start_run("work", {}))

    first = asyncio.create_task(start())
    while "commit" not in gone.asked:
        await asyncio.sleep(0)
    told = await asyncio.gather(first, start(), start(), return_exceptions=True)
    assert [type(one) for one in told] == [ShardAway] * 3
    while len(engine):
        await asyncio.sleep(0)
    gone.back()
    while router.presences[1].away is not None:
        await asyncio.sleep(0)
    await router.at(1, lambda part: part.start_run("work", {}))
    assert len(await heads_in(app, 1)) == 2  # the first was with the store already


async def test_the_first_store_is_not_needed_to_start_in_the_second(files, monkeypatch):
    async with files.app(2) as app:
        gone = Cut(monkeypatch, parts_of(app)[0])
        (uid,) = uids_at((2,), (1,))
        run = await app.start("work", uid=uid)
        plain = [await app.start("work") for _ in range(3)]
        assert len(await heads_in(app, 1)) == 4
        assert run.id not in {one.id for one in plain}
        keys = (f"key{number}" for number in range(100))
        key = next(one for one in keys if homes(request_key("runs", one), (2,)) == (0,))
        with pytest.raises(ShardAway, match="store 1 of 2"):
            await app.start_run("work", {}, uid=uid, once=Once("runs", key, b""))
        gone.back()


# -- by itself


class Store:
    def __init__(self):
        self.there, self.asked, self.forgotten, self.welcomed = asyncio.Event(), 0, 0, 0

    async def ask(self):
        self.asked += 1
        await self.there.wait()

    def forget(self):
        self.forgotten += 1

    def welcome(self):
        self.welcomed += 1


@pytest.fixture
async def watched():
    store = Store()
    one = Presence("one", store.ask, store.forget, store.welcome)
    one.watch()
    yield store, one
    one.close()


async def needing(one):
    async with one.needed():
        await asyncio.Event().wait()


async def test_all_who_wait_are_told_and_who_comes_later_at_once(watched):
    store, one = watched
    told = await asyncio.gather(*(needing(one) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in told] == [Away] * 3
    with pytest.raises(Away, match="does not answer"):
        await one.needed().__aenter__()
    assert not await one.answers()
    assert (store.asked, store.forgotten > 0, store.welcomed) == (1, True, 0)
    store.there.set()
    while one.away is not None:
        await asyncio.sleep(0)
    assert await one.answers()
    assert store.welcomed == 1


async def test_who_waits_long_for_a_store_that_is_there_goes_on_waiting(watched):
    store, one = watched
    store.there.set()
    waiting = asyncio.create_task(needing(one))
    while store.asked < 3:
        await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_an_error_of_its_own_is_what_a_verb_raises(watched):
    _, one = watched
    for error in (NotFoundError("no"), TimeoutError("late")):
        with pytest.raises(type(error)) as raised:
            async with one.needed():
                raise error
        assert raised.value is error


async def test_who_is_refused_is_away_until_it_is_not(monkeypatch):
    said = [StoreError("refused"), StoreError("refused")]

    async def ask():
        if said:
            raise said.pop()

    one = Presence("one", ask, lambda: None, lambda: None)
    one.watch()
    one.look()
    while one.away is None:
        await asyncio.sleep(0)
    assert str(one.away) == "refused"
    while one.away is not None:
        await asyncio.sleep(0)
    assert not said
    one.close()


async def test_nothing_is_asked_when_nobody_waits(watched):
    store, one = watched
    store.there.set()
    async with one.needed():
        pass
    assert store.asked == 0
