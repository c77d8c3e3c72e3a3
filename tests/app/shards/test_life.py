"""A set of stores is opened whole, by whoever names all of it; several processes share one."""

import asyncio

import pytest

from ostinato import App
from ostinato.app.moving import move_store
from ostinato.config import Settings
from ostinato.errors import (
    ConflictError,
    NothingIsRunning,
    SettingsError,
    ShardAway,
    StoreError,
    StoreLocked,
)
from ostinato.ports import EventQuery, Page, RunQuery
from tests.app.shards.conftest import heads_in, judged, parts_of, uids_at, until


async def test_each_store_says_where_it_belongs(shards):
    for count in (1, 2, 3):
        async with shards.app(count):
            pass
    async with shards.app(3) as app:
        marks = [await part.marks() for part in parts_of(app)]
    assert marks[0].counts == (1, 2, 3)
    assert [one.place.number for one in marks] == [0, 1, 2]
    assert len({one.place.set for one in marks}) == 1


async def refused(app, said):
    with pytest.raises(SettingsError, match=said):
        async with app:
            pass


async def test_others_than_those_of_the_set_are_refused(shards):
    first, second, third, fourth = shards.stores(4)
    async with shards.app(stores=(first, second)), shards.app(stores=(third, fourth)):
        pass
    await refused(shards.app(stores=(first,)), "is store 1 of 2 of a set")
    await refused(shards.app(stores=(second,)), "is store 2 of a set")
    await refused(shards.app(stores=(second, first)), "is store 2 of its set and is named first")
    await refused(shards.app(stores=(first, third)), "is store 1 of another set")
    await refused(shards.app(stores=(first, second, fourth)), "is store 2 of another set")
    async with shards.app(stores=(first, second)) as app:
        assert await app.count_runs(RunQuery()) == 0


async def test_fewer_than_there_were_are_refused(shards):
    async with shards.app(3):
        pass
    await refused(shards.app(2), "names 2 stores, and there are 3 in the set")


async def test_a_new_store_must_be_empty(shards):
    first, second, third = shards.stores(3)
    async with shards.app(stores=(second,)) as app:
        await app.start("work")
    await refused(shards.app(stores=(first, second)), "is to be store 2, and is not empty")
    async with shards.app(stores=(first,)), shards.app(stores=(third,)):
        pass  # what it refused is as it was


async def test_an_emptied_store_is_no_new_one(shards):
    first, second, third = shards.stores(3)
    async with shards.app(stores=(first, second)):
        pass
    await refused(shards.app(stores=(first, third)), "should be store 2 of the set")


async def test_events_on_their_way_arrive_before_a_store_is_added(shards):
    async with shards.app(1) as app:

        async def away(events):
            raise StoreError("away")

        app.bus._subscribers[:] = [("*", away)]
        emits = "workflow: e\nphases: [{phase: p, jobs: [{job: a, emit: {type: GO, data: {}}}]}]\n"
        await app.deploy(emits)
        await (await app.start("e")).result(timeout=20)
    await refused(shards.app(2), "on their way still: start once more with the 1 that there were")
    async with shards.app(1) as app:
        await until(lambda: app.events(EventQuery(), Page()))
        while await app.storage.outbox(1):
            await asyncio.sleep(0.01)
    async with shards.app(2) as app:
        assert await app.count_runs(RunQuery()) == 2


async def test_a_file_in_use_is_named(files):
    async with files.app(2):
        with pytest.raises(StoreLocked, match=r"0\.db"):
            async with files.app(2):
                pass


async def test_what_is_for_one_store_is_refused_for_several(files):
    settings = Settings(store=files.stores(2))
    with pytest.raises(SettingsError, match="for one store at a time, and `store` names 2"):
        _ = App(settings).storage
    assert settings.store_file == files.app(1).settings.store_file


async def test_a_part_can_be_moved(files, tmp_path):
    """One store at a time, as any: it says where it belongs in its new place, too."""
    first, second = files.stores(2)
    async with files.app(2) as app:
        runs = [await app.start("work", uid=uid) for uid in uids_at((2,), (0,), (1,))]
    moved = f"sqlite:///{tmp_path}/moved.db"
    await move_store(second, moved)
    async with files.app(stores=(first, moved)) as app:
        assert {head.run_id for head in await app.runs(RunQuery(), Page())} == {
            run.id for run in runs
        }


# -- one is away


async def test_what_is_in_the_others_goes_on(shards):
    uids = uids_at((2,), (0,), (1,))
    async with shards.app(2) as app:
        first, second = [await app.start("work", uid=uid) for uid in uids]
        part = parts_of(app)[1]
        whole, part._storage = part._storage, Away(part._storage)
        assert (await first.view()).status == "waiting"
        assert (await app.cancel(first.id)).status == "cancelled"
        assert (await app.start("work", uid=uids[0])).id != first.id
        with pytest.raises(ShardAway, match=r"store 2 of 2 \(.*\) does not answer; what is in"):
            await app.runs(RunQuery(), Page())
        with pytest.raises(ShardAway, match="store 2 of 2"):
            await app.find_run("nobody-has-it")
        with pytest.raises(ShardAway, match="store 2 of 2"):
            await app.history(second.id)
        part._storage = whole
        assert len(await app.runs(RunQuery(), Page())) == 3


class Away:
    """A store that does not answer whoever reads."""

    def __init__(self, storage):
        self._storage = storage

    def __getattr__(self, name):
        if name in ("runs", "head", "history", "events"):
            return self._fails
        return getattr(self._storage, name)

    async def _fails(self, *args):
        raise StoreError("the connection was cut")


# -- several processes


@pytest.fixture
def databases(new_database):
    from tests.app.shards.conftest import Shards

    return Shards(lambda number: new_database())


async def shared(*apps):
    """Each of them has a part of each store."""
    for app in apps:
        for part in parts_of(app):
            while not part.works:
                await asyncio.sleep(0.01)


async def test_several_processes_share_a_set(databases):
    uids = uids_at((2,), (0,), (1,))
    async with databases.app(2) as one, databases.app(2) as other:
        await shared(one, other)
        runs = [await one.start("work", uid=uid) for uid in uids]
        for run in runs:
            again = await other.start("work", uid=(await run.view()).uid)
            assert (again.id, again.duplicate) == (run.id, True)
        told = [await other.emit("NAMED", {"id": f"x{number}"}) for number in range(12)]
        for number in range(12):
            await one.emit("DONE", {"id": f"x{number}"})
        for each in told:
            [run_id] = each.runs
            await until(lambda run_id=run_id: _is_there(one, run_id))
            assert (await one.wait_ended(run_id, 20)).status == "succeeded"
        for uid in uids:
            await other.emit("DONE", {"id": uid})
        assert [(await run.result(timeout=20))["does"]["uid"] for run in runs] == uids
        assert await judged(one) == []


async def _is_there(app, run_id):
    found = await app.runs(RunQuery(id_prefix=run_id), Page())
    return bool(found)


async def test_two_begin_a_set_at_once(databases):
    one, other = databases.app(2), databases.app(2)
    async with asyncio.TaskGroup() as group:
        group.create_task(one.__aenter__())
        group.create_task(other.__aenter__())
    try:
        await shared(one, other)
        assert one.runs.__self__.counts == other.runs.__self__.counts == (2,)
    finally:
        await one.close(0)
        await other.close(0)


async def test_a_store_is_not_added_while_others_work_with_fewer(databases, monkeypatch):
    monkeypatch.setattr("ostinato.app.shards.life.PATIENCE", 0.3)
    async with databases.app(1) as alone:
        with pytest.raises(ConflictError, match="with fewer of them"):
            async with databases.app(2):
                pass
        assert await (await alone.start("work")).result(timeout=20)
    async with databases.app(2) as app:
        assert await app.count_runs(RunQuery()) == 1


async def test_a_process_that_stands_by_reads(databases):
    async with databases.app(2) as app, databases.app(2, standby=True) as standby:
        run = await app.start("work", uid="u")
        assert (await standby.find_run("u")).run_id == run.id
        assert not standby.health()["ready"]
        with pytest.raises(NothingIsRunning):
            await standby.start("work", uid="u")
        assert len(await heads_in(standby, 0)) + len(await heads_in(standby, 1)) == 1
