"""A set of stores is opened whole, by whoever names all of it; several processes share one."""

import asyncio

import psycopg
import pytest

from ostinato import App
from ostinato.app.moving import move_store
from ostinato.app.shards.life import Living
from ostinato.config import Settings, read_settings
from ostinato.errors import (
    ConflictError,
    NothingIsRunning,
    SettingsError,
    ShardAway,
    StoreError,
    StoreLocked,
)
from ostinato.ports import EventQuery, Page, RunQuery
from ostinato.storage.postgres import PostgresStorage
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

        app.own._subscribers[:] = [("*", away)]
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


async def test_a_store_is_not_added_while_others_work_with_fewer(databases):
    """It is refused before it has anything, or has asked for the new store."""
    nowhere = "postgresql://nobody@127.0.0.1:1/nowhere"
    for count in (1, 2):
        longer = databases.app(stores=(*databases.stores(count), nowhere))
        async with databases.app(count) as few:
            [first, *_] = [part.storage for part in parts_of(few)] if count > 1 else [few.storage]
            before = await first.members.owners()
            with pytest.raises(ConflictError, match=f"works on store 1 of .* with {count} of"):
                await longer.open(stand_by=True)
            assert await first.members.owners() == before
            assert await (await few.start("work")).result(timeout=20)
    async with databases.app(3) as app:
        assert await app.count_runs(RunQuery()) == 2


async def test_one_that_works_on_the_new_store_alone_is_in_the_way_too(databases):
    first, second = databases.stores(2)
    async with databases.app(stores=(second,), document=None):
        with pytest.raises(ConflictError, match=r"works on store 2 of 2 .* with 1 of these"):
            async with databases.app(stores=(first, second)):
                pass


def asleep(app):
    """As a process that is stopped: it renews nothing."""
    for part in parts_of(app):
        part._membership._task.cancel()


async def late(app):
    """Its leases are over."""
    for part in parts_of(app):
        with psycopg.connect(part.settings.only_store) as db:
            db.execute("UPDATE ostinato.lease SET expires_at = 0 WHERE member = %s", (part.member,))


def awake(app):
    for part in parts_of(app):
        part._membership.begin()
        part._membership.look()


async def test_who_slept_while_a_store_was_added_works_no_more(databases):
    async with databases.app(2) as old:
        asleep(old)
        await late(old)
        async with databases.app(3) as new:
            awake(old)
            await old.ended.wait()
            assert "has 3 stores by now, and this process works with 2" in str(old.ended_by)
            with pytest.raises(NothingIsRunning, match="3 stores by now"):
                await old.start("work", uid="u")
            assert "3 stores by now" in old.health()["reason"]
            for number in range(2):
                seats = (await parts_of(new)[number].storage.members.roll()).seats
                assert sum(seat.partitions for seat in seats if seat.stores == 3) == 64
            assert await (await new.start("work")).result(timeout=20)


async def test_so_does_one_that_was_alone(databases):
    async with databases.app(1) as old:
        old._membership._task.cancel()
        with psycopg.connect(old.settings.only_store) as db:
            db.execute("UPDATE ostinato.lease SET expires_at = 0")
        async with databases.app(2):
            old._membership.begin()
            old._membership.look()
            await old.ended.wait()
            assert "has 2 stores by now, and this process works with 1" in str(old.ended_by)


async def other(url):
    storage = PostgresStorage(url)
    await storage.open()
    return storage


async def test_the_count_is_written_when_nobody_has_partitions_with_fewer(databases, monkeypatch):
    """Somebody takes some after the look at who is there; it goes away, as it looks after that."""
    async with databases.app(2):
        pass
    joins, before, seen = await other(databases.urls[1]), [], asyncio.Event()
    write, look = Living._write_down, Living._joined_by_fewer

    async def takes_first(self, marks):
        await joins.members.renew(60_000, "http://joins", stores=2)
        await self.parts[1].storage.members.give(range(9))
        before.append((await joins.members.take(9)).partitions)
        await write(self, marks)

    async def looks(self):
        found = await look(self)
        if found:
            assert (await self.parts[0].marks()).counts == (2,)
            await joins.members.leave()
            seen.set()
        return found

    monkeypatch.setattr(Living, "_write_down", takes_first)
    monkeypatch.setattr(Living, "_joined_by_fewer", looks)
    try:
        async with databases.app(3) as app:
            assert len(before[0]) == 9
            assert seen.is_set()
            assert app.runs.__self__.counts == (2, 3)
    finally:
        await joins.close()


async def test_who_takes_while_a_store_is_added_lets_go(databases):
    """The other order: the count is not written yet, and who is about to is there."""
    async with databases.app(2):
        pass
    grows = await other(databases.urls[0])
    try:
        await grows.members.renew(60_000, "http://grows", stores=3)
        with pytest.raises(ConflictError, match="works with 3 stores, and this one with 2"):
            async with databases.app(2):
                pass
        assert await grows.members.owners() == {}
        await grows.members.leave()
        async with databases.app(2):
            pass
    finally:
        await grows.close()


async def test_a_database_that_is_named_twice_is_refused(databases):
    [url] = databases.stores(1)
    twice = url.replace("127.0.0.1", "localhost")
    assert twice != url
    for stores in ((url, twice), (url, *databases.stores(2)[1:], twice)):
        await refused(databases.app(stores=stores), "are the same database under two names")
    async with databases.app(stores=(url,)) as app:
        assert await app.count_runs(RunQuery()) == 0


def test_a_file_that_is_named_twice_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="each of them once"):
        read_settings({"store": ["sqlite:///a.db", f"sqlite:///{tmp_path}/./a.db"]})


async def test_a_set_is_begun_and_grown_only_by_who_may(shards):
    async def opened(count, **may):
        app = shards.app(count, document=None)
        try:
            await app.open(**may)
        finally:
            await app.close(0)

    with pytest.raises(SettingsError, match="these 2 stores are no set yet"):
        await opened(2, begins=False, adds=False)
    async with shards.app(1):
        pass
    with pytest.raises(SettingsError, match="is a store of its own, and `store` names 2"):
        await opened(2, adds=False)
    async with shards.app(2):
        pass
    with pytest.raises(SettingsError, match="is in a set of 2 stores, and `store` names 3"):
        await opened(3, adds=False)
    await opened(2, begins=False, adds=False)
    await refused(shards.app(1), "is store 1 of 2")
    await opened(3)


async def test_a_process_that_stands_by_reads(databases):
    async with databases.app(2) as app, databases.app(2, standby=True) as standby:
        run = await app.start("work", uid="u")
        assert (await standby.find_run("u")).run_id == run.id
        assert not standby.health()["ready"]
        with pytest.raises(NothingIsRunning):
            await standby.start("work", uid="u")
        assert len(await heads_in(standby, 0)) + len(await heads_in(standby, 1)) == 1
