"""Runs that wait for one another, when the store or a run fails: nothing is lost, nothing twice."""

import asyncio

import pytest
from msgspec.structs import replace

from ostinato.app import Run, RunEnded
from ostinato.core import events as e
from ostinato.errors import DefinitionError, Refused
from ostinato.ports import Mail, Page, RunQuery
from ostinato.runtime.posts import Tell
from tests.stage import Gate, one_job, reached, until_crash

CHILD = one_job({"run": "gate"}, workflow="child")
PARENT = one_job({"call": "child"})


def both(stage, gate, **more):
    app = stage.app(PARENT, {"gate": gate.__call__}, **more)
    app.workflow_document(CHILD)
    return app


def opened():
    gate = Gate()
    gate.open.set()
    return gate


async def child_of(app, run_id):
    """The run that was called, once it has begun."""
    called = (await reached(app, run_id, "job.called"))["run"]
    while await app.storage.head(called) is None:
        await asyncio.sleep(0)
    return called


async def told(app):
    while await app.storage.mail():
        await asyncio.sleep(0)


@pytest.mark.parametrize("outcome", ["kept", "lost"])
async def test_an_unknown_commit_of_its_beginning_neither_loses_nor_doubles_it(stage, outcome):
    async with both(stage, opened()) as app:
        run = await app.start("w")
        stage.place.break_next_commit(app.storage, outcome)
        assert await run.result(5) == {"j": {"j": 1}}
        assert await app.count_runs(RunQuery()) == 2
        await told(app)


@pytest.mark.parametrize("outcome", ["kept", "lost"])
async def test_an_unknown_commit_of_its_end_is_heard_once(stage, outcome):
    gate = Gate()
    async with both(stage, gate) as app:
        run = await app.start("w")
        await gate.begun.wait()
        stage.place.break_next_commit(app.storage, outcome)
        gate.open.set()
        assert await run.result(5) == {"j": {"j": 1}}
        await told(app)


async def test_a_process_that_dies_with_a_call_leaves_it_to_the_next(stage):
    async with until_crash(both(stage, Gate())) as app:
        app.service.engine.outlets.on_said = lambda run_id, said: None
        run_id = (await app.start("w")).id
    async with both(stage, opened()) as app:
        assert await Run(app, run_id).result(5) == {"j": {"j": 1}}
        assert await app.count_runs(RunQuery()) == 2
        await told(app)


async def test_a_process_that_dies_with_the_run_goes_on_with_both(stage):
    gate = Gate()
    async with until_crash(both(stage, gate)) as app:
        run_id = (await app.start("w")).id
        await gate.begun.wait()
    async with both(stage, opened()) as app:
        assert await Run(app, run_id).result(5) == {"j": {"j": 1}}
        assert await app.count_runs(RunQuery()) == 2


async def test_a_cancel_that_follows_the_call_at_once_finds_its_run(stage):
    async with both(stage, Gate()) as app:
        run = await app.start("w")
        await app.cancel(run.id)
        with pytest.raises(RunEnded):
            await run.result(5)
        statuses = {head.workflow: head.status for head in await every_run(app)}
        assert statuses == {"w": "cancelled", "child": "cancelled"}
        await told(app)


async def every_run(app):
    return await app.runs(RunQuery(), Page())


async def test_what_the_store_refuses_fails_the_call(stage):
    store = stage.place.store()
    commit = store.commit

    async def choosy(batch):
        if any(head.workflow == "child" for head in batch.new_heads):
            raise Refused("not this one")
        await commit(batch)

    store.commit = choosy
    async with both(stage, opened(), store=store) as app:
        run = await app.start("w")
        with pytest.raises(RunEnded, match="Refused: the store refused it: not this one"):
            await run.result(5)
        await told(app)


async def test_a_start_that_breaks_fails_the_call(stage, monkeypatch):
    async with both(stage, opened()) as app:
        run_id = (await app.start("w")).id

        def broken(*arguments):
            raise LookupError("a mistake of ours")

        monkeypatch.setattr(app.service.starter, "start", broken)
        with pytest.raises(RunEnded, match="LookupError: a mistake of ours"):
            await Run(app, run_id).result(5)


async def test_a_workflow_that_cannot_be_read_is_waited_for(stage, monkeypatch):
    async with both(stage, Gate()) as app:
        graph_of = app.service.engine.graph_of

        def blind(workflow, version):
            if workflow == "child":
                raise DefinitionError("it is written in a newer language")
            return graph_of(workflow, version)

        app.service.engine.graph_of = blind
        run = await app.start("w")
        await app.service.engine.rest()
        assert (await run.view()).waiting_for == "call"
    async with both(stage, opened()) as app:
        assert await Run(app, run.id).result(5) == {"j": {"j": 1}}


def spoilt(store, run_ids):
    """What these runs have written is of a version that nobody here reads."""
    history = store.history

    async def newer(run_id, *more):
        records = await history(run_id, *more)
        return [replace(one, version=999) for one in records] if run_id in run_ids else records

    store.history = newer
    return store


async def test_who_cannot_be_loaded_hears_it_as_soon_as_it_can(stage):
    gate = Gate()
    async with until_crash(both(stage, gate)) as app:
        run_id = (await app.start("w")).id
        await gate.begun.wait()
    bad = {run_id}
    async with both(stage, opened(), store=spoilt(stage.place.store(), bad)) as app:
        while not await app.storage.mail():
            await asyncio.sleep(0)
        while (await app.storage.head(run_id)).waiting_for != "repair":
            await asyncio.sleep(0)
        bad.clear()
        app.service.engine.post(tell(run_id))
        assert await Run(app, run_id).result(5) == {"j": {"j": 1}}
        await told(app)


def tell(run_id):
    return Tell(run_id, e.Heard("nobody", 1))


async def test_a_run_that_is_gone_is_told_nothing(stage):
    gate = Gate()
    async with both(stage, gate) as app:
        lost = Mail("hangup", "nobody", "gone", "p/j", 1, b'{"key":"p/j","attempt":1,"run_id":"x"}')
        app.service.room.bring(lost)
        while len(app.service.room):
            await asyncio.sleep(0)
