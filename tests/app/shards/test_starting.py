"""Runs in a set of stores: where they begin, that they stay there, who finds them."""

import asyncio
import inspect

import pytest

from ostinato import App
from ostinato.app.doing import Once
from ostinato.app.shards import Shards
from ostinato.core.shards import homes, request_key
from ostinato.errors import ConflictError, InvalidInput, NotFoundError
from ostinato.ports import Page, RunQuery
from tests.app.shards.conftest import heads_in, judged, uids_at


async def test_runs_without_a_key_are_spread(shards):
    async with shards.app(2) as app:
        runs = [await app.start("work") for _ in range(6)]
        each = {"waits": None, "does": {"uid": None}}
        assert [await run.result(timeout=20) for run in runs] == [each] * 6
        assert [len(await heads_in(app, number)) for number in range(2)] == [3, 3]
        assert await app.count_runs(RunQuery()) == 6
        assert await judged(app) == []


async def test_a_uid_has_one_open_run(shards):
    first, second = uids_at((2,), (0,), (1,))
    async with shards.app(2) as app:
        for number, uid in enumerate((first, second)):
            run = await app.start("work", uid=uid)
            again = await app.start("work", uid=uid)
            assert (again.id, again.duplicate) == (run.id, True)
            assert [head.uid for head in await heads_in(app, number)] == [uid]
            assert (await app.find_run(uid)).run_id == run.id


async def test_what_was_begun_stays_when_a_store_is_added(shards):
    """Its open run, what comes after it, and a uid that has never been."""
    moved, other = uids_at((1, 2), (0, 1), (0,))
    async with shards.app(1) as app:
        before = [(await app.start("work", uid=uid)).id for uid in (moved, other)]
        ended = (await app.start("work")).id
    async with shards.app(2) as app:
        for uid, run_id in zip((moved, other), before, strict=True):
            run = await app.start("work", uid=uid)
            assert (run.id, run.duplicate) == (run_id, True)
            await app.emit("DONE", {"id": uid})
            assert (await run.result(timeout=20))["does"] == {"uid": uid}
            again = await app.start("work", uid=uid)
            assert again.id != run_id
        assert [len(await heads_in(app, number)) for number in range(2)] == [5, 0]
        assert (await app.run_view(ended)).status == "succeeded"
        assert await judged(app) == []


async def test_a_new_uid_goes_to_the_new_store(shards):
    (moved,) = uids_at((1, 2), (0, 1))
    async with shards.app(1):
        pass
    async with shards.app(2) as app:
        await app.start("work", uid=moved)
        assert [len(await heads_in(app, number)) for number in range(2)] == [0, 1]


async def test_a_request_is_answered_once(shards):
    once = Once("runs", "key", b"{}", lambda view: view.id.encode())
    async with shards.app(1) as app:
        first = await app.start_run("work", {}, once=once)
    async with shards.app(3) as app:
        again = await app.start_run("work", {}, once=once)
        assert (again.id, again.replayed) == (first.id, True)
        other = Once("runs", "other", b"{}", lambda view: view.id.encode())
        run = await app.start_run("work", {}, once=other)
        again = await app.start_run("work", {}, once=other)
        assert (again.id, again.replayed) == (run.id, True)
        with pytest.raises(ConflictError, match="used for another request"):
            await app.start_run("work", {"n": 1}, once=Once("runs", "other", b"1"))


def scoped(body, key):
    return Once("runs", key, body, lambda view: view.id.encode())


@pytest.fixture
async def far(files):
    """An app, and of two keys one that is looked up in another store than its uid has, and not."""
    async with files.app(2) as app:
        (uid,) = uids_at((2,), (1,))
        names = (f"key{number}" for number in range(100))
        by_home = {homes(request_key("runs", name), (2,)): name for name in names}
        yield app, uid, [by_home[0,], by_home[1,]]


async def test_a_key_has_one_request_wherever_its_runs_begin(far):
    app, uid, keys = far
    for key in keys:
        run = await app.start_run("work", {}, uid=uid, once=scoped(b"one", key))
        again = await app.start_run("work", {}, uid=uid, once=scoped(b"one", key))
        assert (again.id, again.replayed) == (run.id, True)
        (other,) = uids_at((2,), (0,))
        for instead in (other, None, uid):
            with pytest.raises(ConflictError, match="used for another request"):
                await app.start_run("work", {}, uid=instead, once=scoped(b"two", key))
    assert await app.count_runs(RunQuery()) == 1
    assert await judged(app) == []


async def test_of_two_requests_at_once_under_one_key_one_has_it(shards):
    async with shards.app(2) as app:
        for number in range(12):
            key = f"k{number}"
            told = await asyncio.gather(
                *(
                    app.start_run(
                        "work", {}, uid=f"{key}-{body}", once=scoped(str(body).encode(), key)
                    )
                    for body in (0, 0, 1, 1)
                ),
                return_exceptions=True,
            )
            runs = [one for one in told if not isinstance(one, Exception)]
            refusals = [one for one in told if isinstance(one, ConflictError)]
            assert (len(runs), len(refusals)) == (2, 2)
            assert runs[0].id == runs[1].id
            assert sorted(run.replayed for run in runs) == [False, True]
        assert await app.count_runs(RunQuery()) == 12
        assert await judged(app) == []


async def test_who_dies_with_a_key_in_hand_leaves_it_to_the_same_request(far, monkeypatch):
    app, uid, (key, _) = far
    second = app.runs.__self__.parts[1]
    with monkeypatch.context() as patch:
        patch.setattr(second, "start_run", lambda *_, **__: (_ for _ in ()).throw(OSError("dies")))
        with pytest.raises(OSError, match="dies"):
            await app.start_run("work", {}, uid=uid, once=scoped(b"one", key))
    with pytest.raises(ConflictError, match="used for another request"):
        await app.start_run("work", {}, once=scoped(b"two", key))
    run = await app.start_run("work", {}, uid=uid, once=scoped(b"one", key))
    assert (run.replayed, await app.count_runs(RunQuery())) == (False, 1)


async def test_what_is_wrong_with_a_start_takes_no_key(far):
    app, uid, (key, _) = far
    for bad, given in ((uid, []), ("u" * 2_000, {})):
        with pytest.raises(InvalidInput):
            await app.start_run("work", given, uid=bad, once=scoped(b"bad", key))
    run = await app.start_run("work", {}, uid=uid, once=scoped(b"good", key))
    assert not run.replayed


async def test_a_request_is_answered_where_it_was_when_a_deployment_moves_its_uid(files):
    """The same body, and a uid that is another one by now."""
    (here, there) = uids_at((2,), (0,), (1,))
    names = [f"key{number}" for number in range(100)]
    keys = {homes(request_key("runs", name), (2,)): name for name in names}
    for home in (0, 1):
        once = scoped(b"one", keys[home,])
        async with files.app(2, KEYED) as app:
            first = await app.start_run("keyed", {"a": there, "b": here}, once=once)
            await app.deploy(KEYED.replace("input.a", "input.b"))
            again = await app.start_run("keyed", {"a": there, "b": here}, once=once)
            assert (again.id, again.replayed) == (first.id, True)
            await app.deploy(KEYED)


KEYED = """
workflow: keyed
uid: {key: input.a}
input_schema: {type: object}
phases: [{phase: p, jobs: [{job: a, run: noop}]}]
"""

DEDUP = """
workflow: once
dedup: {key: input.order, window: 1h}
input_schema: {type: object}
phases: [{phase: p, jobs: [{job: a, run: noop}]}]
"""


async def test_starts_that_are_one_meet(shards):
    async with shards.app(2, DEDUP) as app:
        for order in range(6):
            run = await app.start("once", order=f"o{order}")
            again = await app.start("once", order=f"o{order}")
            assert (again.id, again.duplicate) == (run.id, True)
        assert all([await heads_in(app, number) for number in range(2)])


async def test_runs_are_repaired_where_they_are(shards):
    first, second = uids_at((2,), (0,), (1,))
    async with shards.app(2) as app:
        ids = [(await app.start("work", uid=uid)).id for uid in (first, second)]
        for run_id in ids:
            assert (await app.pause(run_id, why="look")).status == "paused"
            assert (await app.resume(run_id)).status == "waiting"
            with pytest.raises(ConflictError, match=r"no wait of run .* fits OTHER"):
                await app.signal(run_id, "OTHER")
            told = await app.skip(run_id, "p/waits")
            assert (await app.wait_ended(run_id, 20)).status == "succeeded", told
            facts = [fact["type"] async for fact in app.stream(run_id)]
            assert facts[0] == "run.started"
            assert [fact["type"] for fact in await app.history(run_id)] == facts
        assert (await app.find_run("last")).run_id == max(ids)
        assert (await app.find_run(ids[0][:-1])).run_id == ids[0] or ids[0][:-1] == ids[1][:-1]
        with pytest.raises(NotFoundError, match="there is no run 'nope'"):
            await app.find_run("nope")
        with pytest.raises(NotFoundError):
            await app.cancel("nope")


CALLBACK = """
workflow: build
phases: [{phase: p, jobs: [{job: b, run: later, callback: true}]}]
"""


async def test_a_token_leads_to_its_run(shards):
    async with shards.app(2, None) as app:
        tokens = []

        @app.handler("later")
        def later(job_token: str):
            tokens.append(job_token)

        await app.deploy(
            CALLBACK.replace("run: later", "run: later, with: {job_token: '${ job.token }'}")
        )
        runs = [await app.start("build") for _ in range(2)]
        while len(tokens) < 2:
            await asyncio.sleep(0)
        for token in tokens:
            await app.heartbeat(token)
            await app.answer(token, output=1)
        assert [await run.result(timeout=20) for run in runs] == [{"b": 1}, {"b": 1}]
        with pytest.raises(NotFoundError, match="no job has this token"):
            await app.answer("nobody.x")


async def test_the_blocking_twin(files):
    app = files.app(2)

    def blocking():
        with app.sync as sync:
            runs = [sync.start("work") for _ in range(2)]
            return [run.result(timeout=20)["does"] for run in runs]

    assert await asyncio.to_thread(blocking) == [{"uid": None}] * 2


def test_the_verbs_of_a_set_are_those_of_an_app():
    """Each in the same form; and each of an app that does something is one of the set."""
    own = {name for name in vars_of(Shards) if hasattr(App, name)}
    for name in own - {"open", "begin", "close"}:
        assert form(getattr(Shards, name)) == form(getattr(App, name)), name
    declared = {
        "address", "asgi", "bus", "configure", "consumer", "handler", "new_id", "own_handlers",
        "producer", "run", "service", "settings", "stands_by", "storage", "sync",
        "workflow_document",
    }  # fmt: skip
    by_the_door = {"at_work", "read_bridged", "take_messages", "take_posted"}
    assert vars_of(App) - own == declared | by_the_door


def vars_of(kind):
    return {name for name in dir(kind) if not name.startswith("_")}


def form(verb):
    return [
        (one.name, one.kind, one.default) for one in inspect.signature(verb).parameters.values()
    ]


async def test_an_app_is_itself_again_when_it_is_closed(files):
    app = files.app(2)
    async with app:
        assert app.runs.__self__ is not app
        first = [head.run_id for head in await app.runs(RunQuery(), Page())]
    assert app.runs.__self__ is app
    async with app:
        assert [head.run_id for head in await app.runs(RunQuery(), Page())] == first == []
