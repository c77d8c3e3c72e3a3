"""Events in a set of stores: once at home, and where they are needed."""

import asyncio

import pytest
from msgspec import Raw

from ostinato.core.cloudevents import Event
from ostinato.core.shards import event_key, homes
from ostinato.errors import NotFoundError, ShardAway, StoreError
from ostinato.ports import EventQuery, Page, RunQuery
from tests.app.shards.conftest import heads_in, judged, parts_of, uids_at, until


def ids_at(counts, *wanted, source="ostinato/app"):
    """The id of an event for each tuple of homes."""
    found = {}
    for number in range(10_000):
        found.setdefault(homes(event_key(source, f"e{number}"), counts), f"e{number}")
    return [found[one] for one in wanted]


async def stored_in(app, number):
    found = await parts_of(app)[number].storage.events(EventQuery(), Page(500))
    return sorted(one.event.id for one in found)


async def test_an_event_starts_its_run_at_home_and_is_nowhere_else(shards):
    first, second = ids_at((2,), (0,), (1,))
    async with shards.app(2) as app:
        for id in (first, second):
            told = await app.emit("GO", id=id)
            assert len(told.runs) == 1
            again = await app.emit("GO", id=id)
            assert (again.duplicate, again.runs) == (True, told.runs)
        assert [await stored_in(app, number) for number in range(2)] == [[first], [second]]
        assert await app.count_runs(RunQuery()) == 2


async def test_a_run_with_a_uid_starts_where_that_is_at_home(shards):
    uids = uids_at((2,), (0,), (1,))
    ids = ids_at((2,), (0,), (1,))
    async with shards.app(2) as app:
        runs = []
        for uid in uids:
            for id in ids:
                told = await app.emit("NAMED", {"id": uid}, id=f"{id}", source=f"s/{uid}")
                again = await app.emit("NAMED", {"id": uid}, id=f"{id}", source=f"s/{uid}")
                assert (again.duplicate, again.runs) == (True, told.runs)
                runs += told.runs
        assert len(set(runs)) == 2
        for number, uid in enumerate(uids):
            assert [head.uid for head in await heads_in(app, number)] == [uid]
        assert await judged(app) == []


async def test_an_event_ends_waits_in_every_store(shards):
    uids = uids_at((3,), (0,), (1,), (2,))
    async with shards.app(3) as app:
        runs = [await app.start("work", uid=uid) for uid in uids]
        for uid in uids:
            await app.emit("DONE", {"id": uid}, id=f"done-{uid}")
        results = [await run.result(timeout=20) for run in runs]
        assert [result["does"]["uid"] for result in results] == uids
        assert [await stored_in(app, number) for number in range(3)] == [
            sorted(f"done-{uid}" for uid in uids)
        ] * 3
        shown = await app.events(EventQuery(), Page())
        assert sorted(one.event.id for one in shown) == sorted(f"done-{uid}" for uid in uids)
        assert await judged(app) == []


BEFORE = """
workflow: late
on: [{event: BEGIN, uid: event.data.id}]
phases:
  - phase: p
    jobs: [{job: w, wait: {event: EARLY, match: {data: {id: ["${ run.uid }"]}}, look_back: 1h}}]
"""


async def test_an_event_may_come_before_the_wait(shards):
    uids = uids_at((2,), (0,), (1,))
    async with shards.app(2, BEFORE) as app:
        told = [(await app.emit("BEGIN", {"id": uid})).runs for uid in uids]
        for uid in uids:
            await app.emit("EARLY", {"id": uid})
        for [run_id] in told:
            assert (await app.wait_ended(run_id, 20)).status == "succeeded"


EMITS = """
workflow: emits
phases:
  - phase: p
    jobs: [{job: tell, emit: {type: NAMED, data: {id: "${ input.id }"}}}]
"""


async def test_what_runs_emit_goes_where_it_is_needed(shards):
    uids = uids_at((2,), (0,), (1,))
    async with shards.app(2) as app:
        await app.deploy(EMITS)
        for uid in uids * 2:
            await (await app.start("emits", id=uid)).result(timeout=20)
        for number, uid in enumerate(uids):
            found = await until(lambda uid=uid: app.runs(RunQuery(uid=uid), Page()))
            assert len(found) == 1
            assert uid in [head.uid for head in await heads_in(app, number)]
        while any([await part.storage.outbox(9) for part in parts_of(app)]):
            await asyncio.sleep(0.01)
        assert await app.count_runs(RunQuery(workflow="work")) == 2
        assert await judged(app) == []


async def test_the_event_of_a_run_elsewhere_is_shown_with_that_run(shards):
    (uid,), (id,) = uids_at((2,), (1,)), ids_at((2,), (0,))
    async with shards.app(2) as app:
        told = await app.emit("NAMED", {"id": uid}, id=id)
        [shown] = await app.events(EventQuery(), Page())
        assert f'"{told.runs[0]}"' in shown.answer.decode()
        assert (await app.event(id)).answer == shown.answer
        with pytest.raises(NotFoundError, match="no event 'nope'"):
            await app.event("nope")


# -- between the home and the others


class Dies(Exception):
    pass


async def test_who_dies_between_home_and_the_others_loses_nothing(shards):
    """What is stored at home brings the rest at the next start."""
    (uid,), (id,) = uids_at((2,), (1,)), ids_at((2,), (0,))
    async with shards.app(2) as app:
        router = app.runs.__self__

        async def dies(number, settled):
            if settled:
                raise Dies
            return []

        router._copied = dies
        with pytest.raises(Dies):
            await app.emit("NAMED", {"id": uid}, id=id)
        assert await app.count_runs(RunQuery()) == 0
        assert [await stored_in(app, number) for number in range(2)] == [[id], []]
    async with shards.app(2) as app:
        [head] = await until(lambda: app.runs(RunQuery(uid=uid), Page()))
        again = await app.emit("NAMED", {"id": uid}, id=id)
        assert (again.duplicate, again.runs) == (True, [head.run_id])
        while any([await part.storage.outbox(9) for part in parts_of(app)]):
            await asyncio.sleep(0.01)
        assert await app.count_runs(RunQuery()) == 1
        assert await judged(app) == []


async def test_a_store_that_is_away_gets_it_when_it_is_back(shards):
    (uid,), (id,) = uids_at((2,), (1,)), ids_at((2,), (0,))
    async with shards.app(2) as app:
        second = parts_of(app)[1]
        take, away = second.take, True

        async def taken(events, shares):
            if away:
                raise StoreError("the server is away")
            return await take(events, shares)

        second.take = taken
        told = await app.emit("NAMED", {"id": uid}, id=id)
        assert (told.runs, told.duplicate) == ([], False)
        away = False
        [head] = await until(lambda: app.runs(RunQuery(uid=uid), Page()))
        again = await app.emit("NAMED", {"id": uid}, id=id)
        assert (again.duplicate, again.runs) == (True, [head.run_id])


async def test_a_store_that_is_away_holds_up_none_but_its_own(shards, monkeypatch):
    """However many events are for it."""
    monkeypatch.setattr("ostinato.runtime.lane.MANY", 3)
    monkeypatch.setattr("ostinato.runtime.lane.PAUSE", 0.01)
    uids = uids_at((2,), (0,), (1,))
    async with shards.app(2) as app:
        await app.deploy(EMITS)
        first, second = parts_of(app)
        take, away = second.take, True

        async def taken(events, shares):
            if away:
                raise StoreError("the server is away")
            return await take(events, shares)

        second.take = taken
        for _ in range(8):
            await first.start_run("emits", {"id": uids[1]})
        while not await app.runs(RunQuery(uid=uids[0]), Page()):  # until one has its home here
            await first.start_run("emits", {"id": uids[0]})
            await asyncio.sleep(0.01)
        assert await app.count_runs(RunQuery(uid=uids[1])) == 0
        away = False
        await until(lambda: app.runs(RunQuery(uid=uids[1]), Page()))
        while any([await part.storage.outbox(9) for part in parts_of(app)]):
            await asyncio.sleep(0.01)
        assert await app.count_runs(RunQuery(workflow="work")) == 2
        assert await judged(app) == []


async def test_an_event_of_before_is_known_when_a_store_was_added(shards):
    (id,) = ids_at((1, 2), (0, 1))
    async with shards.app(1) as app:
        told = await app.emit("GO", id=id)
    async with shards.app(2) as app:
        again = await app.emit("GO", id=id)
        assert (again.duplicate, again.runs) == (True, told.runs)
        assert [await stored_in(app, number) for number in range(2)] == [[id], []]


NARROW = """
workflow: narrow
on: [{event: GO}, {event: NAMED, uid: event.data.id}]
input_schema: {type: object, required: [needed]}
phases: [{phase: p, jobs: [{job: a, run: noop}]}]
"""


async def test_what_cannot_start_is_buried_once(shards):
    """And is started later only where its uid belongs."""
    uids, (id,) = uids_at((2,), (0,), (1,)), ids_at((2,), (0,))
    async with shards.app(2, NARROW) as app:
        letters = []
        for source, uid in zip(("ostinato/app", sources_at(id, 0)), uids, strict=True):
            told = await app.emit("NAMED", {"id": uid}, id=id, source=source)
            letters += [each["id"] for each in told.dead_letters]
        assert await app.count_dead_letters() == 2
        await app.deploy(NARROW.replace("required: [needed]", "required: []"))
        here, there = (await app.redrive(*letters)).letters
        assert (here.outcome, there.outcome) == ("redriven", "stays")
        assert "belongs in store 2 of 2" in there.reasons[0]["message"]
        assert [head.uid for head in await app.runs(RunQuery(), Page())] == [uids[0]]


def sources_at(id, home):
    """One more source from which this id has that home."""
    names = (f"s{number}" for number in range(100))
    return next(name for name in names if homes(event_key(name, id), (2,)) == (home,))


async def test_many_events_are_taken_at_once(files):
    uids = [f"u{number}" for number in range(20)]
    async with files.app(3) as app:
        events = [
            Event(f"e{n}", "test", "NAMED", 0, None, Raw(b'{"id":"%s"}' % uid.encode()))
            for n, uid in enumerate(uids)
        ]
        told = await app.accept(events)
        assert [one.id for one in told] == [event.id for event in events]
        assert len({one.runs[0] for one in told}) == 20
        again = await app.accept(events)
        assert [one.runs for one in again] == [one.runs for one in told]
        assert all(one.duplicate for one in again)
        assert await app.count_runs(RunQuery()) == 20
        for uid in uids:
            await app.emit("DONE", {"id": uid})
        for one in told:
            assert (await app.wait_ended(one.runs[0], 20)).status == "succeeded"
        assert await judged(app) == []


# -- again, with something else in it


CHILD = """
workflow: child
on: [{event: LATE, uid: event.data.id}]
phases: [{phase: p, jobs: [{job: a, run: noop}]}]
"""


async def all_sent(app):
    while any([await part.storage.outbox(9) for part in parts_of(app)]):
        await asyncio.sleep(0)


async def test_an_event_that_comes_again_starts_nothing_whatever_is_in_it(shards):
    uids, ids = uids_at((2,), (0,), (1,)), ids_at((2,), (0,), (1,))
    async with shards.app(2) as app:
        for id in ids:
            for first, second in (uids, uids[::-1]):
                told = await app.emit("NAMED", {"id": first}, id=id, source=f"s/{first}")
                again = await app.emit("NAMED", {"id": second}, id=id, source=f"s/{first}")
                assert (again.duplicate, again.runs) == (True, told.runs)
        assert await app.count_runs(RunQuery()) == 2
        await all_sent(app)
        assert await app.count_runs(RunQuery()) == 2
        assert await judged(app) == []


async def test_one_of_two_that_come_at_once_is_the_event_everywhere(files):
    """Their bodies would start runs, and end waits, in different stores."""
    uids = uids_at((2,), (0,), (1,))
    async with files.app(2) as app:
        waiting = [await app.start("work", uid=uid) for uid in uids]
        for id in ids_at((2,), (0,), (1,)):
            told = await asyncio.gather(
                *(app.emit("DONE", {"id": uid}, id=id, source="s") for uid in uids)
            )
            assert sorted(one.duplicate for one in told) == [False, True]
            stored = [(await part.known([("s", id)]))["s", id] for part in parts_of(app)]
            winner = uids[[one.duplicate for one in told].index(False)]
            assert [winner in bytes(one.event.data).decode() for one in stored] == [True, True]
        for number in range(20):
            told = await asyncio.gather(
                *(app.emit("NAMED", {"id": f"n{number}-{n}"}, id=f"n{number}") for n in range(2))
            )
            assert told[0].runs == told[1].runs
        await all_sent(app)
        assert await app.count_runs(RunQuery(workflow="work")) == 22
        assert [run.duplicate for run in waiting] == [False, False]
        assert await judged(app) == []


async def test_what_was_deployed_since_hears_nothing_of_an_event_that_comes_again(shards):
    uids, ids = uids_at((2,), (0,), (1,)), ids_at((2,), (0,), (1,))
    async with shards.app(2) as app:
        for id in ids:
            for uid in uids:
                await app.emit("LATE", {"id": uid}, id=id, source=uid)
        await app.deploy(CHILD)
        for id in ids:
            for uid in uids:
                again = await app.emit("LATE", {"id": uid}, id=id, source=uid)
                assert (again.duplicate, again.runs) == (True, [])
        await all_sent(app)
        assert await app.count_runs(RunQuery()) == 0


async def test_a_copy_is_made_of_what_its_home_took_in(files, monkeypatch):
    """Its maker dies; then a trigger is changed, and the event comes again with another body."""
    uids, (id,) = uids_at((2,), (0,), (1,)), ids_at((2,), (0,))
    async with files.app(2, CHILD) as app:
        router = app.runs.__self__

        async def dies(number, settled):
            raise Dies

        monkeypatch.setattr(router, "_copied", dies)
        with pytest.raises(Dies):
            await app.emit("LATE", {"id": uids[1]}, id=id)
        changed = CHILD.replace("noop", "echo").replace("event.data.id", "event.data.other")
        await app.deploy(changed)
    async with files.app(2, None) as app:
        [head] = await until(lambda: app.runs(RunQuery(), Page()))
        again = await app.emit("LATE", {"id": uids[0], "other": uids[0]}, id=id)
        assert (again.duplicate, again.runs) == (True, [head.run_id])
        await all_sent(app)
        assert (head.uid, head.version) == (uids[1], 1)
        assert await app.count_runs(RunQuery()) == 1
        assert await judged(app) == []


async def test_a_copy_that_is_gone_is_not_made_again(files, monkeypatch):
    """Of what was taken in a while ago only the word on its way out makes copies."""
    (uid,), (id,) = uids_at((2,), (1,)), ids_at((2,), (0,))
    async with files.app(2) as app:
        await app.emit("NAMED", {"id": uid}, id=id)
        await all_sent(app)
        second = parts_of(app)[1]

        async def gone(pairs):
            return {}

        monkeypatch.setattr(second, "known", gone)
        monkeypatch.setattr("ostinato.app.shards.events.SOON", -1_000)
        took = []
        monkeypatch.setattr(second, "take", lambda events, shares: took.append(events))
        again = await app.emit("NAMED", {"id": uid}, id=id)
        assert (again.duplicate, again.runs, took) == (True, [], [])


async def test_who_asks_again_while_a_store_with_a_copy_is_away_is_told_so(files, monkeypatch):
    (uid,), (id,) = uids_at((2,), (1,)), ids_at((2,), (0,))
    async with files.app(2) as app:
        told = await app.emit("NAMED", {"id": uid}, id=id)
        second = parts_of(app)[1]
        with monkeypatch.context() as patch:

            async def away(events, shares):
                raise StoreError("the server is away")

            patch.setattr(second, "take", away)
            with pytest.raises(ShardAway, match="store 2 of 2"):
                await app.emit("NAMED", {"id": uid}, id=id)
        again = await app.emit("NAMED", {"id": uid}, id=id)
        assert (again.duplicate, again.runs) == (True, told.runs)
