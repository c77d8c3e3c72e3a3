"""Large values: on the disk once, in memory as seldom as can be, and whole for whoever reads."""

import asyncio
import gzip
import sqlite3
import tracemalloc
from contextlib import closing
from datetime import timedelta

import msgspec
import pytest

from ostinato.config.settings import LimitSettings, RetentionSettings
from ostinato.core.state import LARGE
from ostinato.errors import NotFoundError
from ostinato.ports import EventQuery, LetterQuery, Page
from ostinato.runtime import resident
from ostinato.runtime.resident import load_state
from tests.stage import File, Stage, crash, one_job, reached

BIG = "x" * 50_000
HANDED_ON = one_job(
    {
        "run": "echo",
        "with": {"order": "${ input.order }", "index": "${ index }"},
        "each": {"in": "input.items", "as": "item", "at_once": 3},
    }
) | {"output": "size(jobs.j.output)"}

ECHO = one_job({"run": "echo", "with": "${ input }"})


def count(stage, sql="SELECT count(*) FROM value"):
    if stage.place.kind == "memory":
        return len(stage.place.disk.values.data)
    with closing(sqlite3.connect(stage.place.path)) as db:
        (found,) = db.execute(sql).fetchone()
    return found


async def state_of(app, run_id):
    return await load_state(app.storage, app.service.engine.graph_of, run_id)


async def test_an_each_that_hands_on_a_large_value_keeps_it_once(stage):
    async with stage.app(HANDED_ON) as app:
        run = await app.start("w", order=BIG, items=list(range(40)))
        assert await run.result(20) == 40
        assert count(stage) == 1
        view = await run.view()
        assert [msgspec.json.decode(job.output)["index"] for job in view.jobs] == list(range(40))
        assert {msgspec.json.decode(job.output)["order"] for job in view.jobs} == {BIG}


async def test_what_was_large_is_whole_after_a_restart(stage):
    jobs = [{"job": "a", "run": "echo", "with": {"order": "${ input.order }"}},
            {"job": "b", "wait": {"event": "GO"}, "needs": ["a"]},
            {"job": "c", "run": "echo", "with": "${ jobs.a.output }", "needs": ["b"]}]  # fmt: skip
    document = {"workflow": "w", "phases": [{"phase": "p", "jobs": jobs}]}
    app = stage.app(document)
    await app.__aenter__()
    run = await app.start("w", order=BIG)
    await reached(app, run.id, "job.waiting")
    await crash(app)
    async with stage.app() as app:
        await app.emit("GO")
        await app.wait_ended(run.id, 10)
        output = (await app.run_view(run.id)).output
        assert msgspec.json.decode(output)["c"] == {"order": BIG}
        assert count(stage) == 1


async def test_events_that_start_several_runs_are_kept_once(stage):
    async with stage.app() as app:
        for name in "abc":
            await app.deploy(one_job({"run": "echo"}) | {"workflow": name, "on": [{"event": "GO"}]})
        accepted = await app.emit("GO", {"order": BIG})
        for run in accepted.runs:
            await app.wait_ended(run, 10)
        assert (len(accepted.runs), count(stage)) == (3, 1)


async def test_what_is_emitted_goes_whole_and_leaves_nothing_but_the_event(stage):
    document = one_job({"emit": {"type": "DONE", "data": "${ input.order }"}})
    async with stage.app(document) as app:
        run = await app.start("w", order=BIG)
        await run.result(10)
        while not (events := await app.events(EventQuery(type="DONE"), Page())):
            await asyncio.sleep(0)
        assert msgspec.json.decode(events[0].event.data) == BIG


async def test_values_of_removed_runs_go_and_those_of_others_stay(clocked):
    retention = RetentionSettings(runs=timedelta(days=1))
    async with clocked.app(ECHO, retention=retention) as app:
        for more in ("", "y" * 50_000):
            await (await app.start("w", order=BIG, other=more)).result(10)
        assert count(clocked) == 2
        clocked.jump(app, 100_000)
        fresh = await app.start("w", order=BIG)
        await fresh.result(10)
        await app.clean()
        assert count(clocked) == 1
        assert msgspec.json.decode((await fresh.view()).output) == {"j": {"order": BIG}}


async def test_how_large_is_a_setting(stage):
    async with stage.app(one_job({"run": "noop"}), limits=LimitSettings(inline=100)) as app:
        await (await app.start("w", order="x" * 88)).result(10)
        assert count(stage) == 0
        await (await app.start("w", order="x" * 89)).result(10)
        assert count(stage) == 1


async def test_equal_results_are_in_memory_once(stage):
    document = one_job({"run": "h", "each": {"in": "input.items", "as": "item"}})
    async with stage.app(document | {"output": "1"}, {"h": lambda: BIG}) as app:
        run = await app.start("w", items=list(range(30)))
        await run.result(10)
        state = await state_of(app, run.id)
        outputs = [step.output for step in state.steps.values()]
        assert {bytes(output) for output in outputs} == {f'"{BIG}"'.encode()}
        assert len({id(output) for output in outputs}) == 1


async def test_what_a_job_was_given_is_let_go_once_it_has_succeeded(stage):
    async with stage.app(HANDED_ON) as app:
        run = await app.start("w", order=BIG, items=list(range(60)))
        await run.result(20)
        state = await state_of(app, run.id)
        held = [step for step in state.steps.values() if step.input is not None]
        assert len(held) < 32
        assert all(type(job.input) is msgspec.UnsetType for job in (await run.view()).jobs)
        history = await app.history(run.id)
        given = [fact["input"] for fact in history if fact["type"] == "job.ready"]
        assert all(msgspec.json.decode(one)["order"] == BIG for one in given)


async def test_what_taking_it_back_needs_is_not_let_go(stage):
    job = HANDED_ON["phases"][0]["jobs"][0]
    seen = []
    document = {"workflow": "w", "phases": [
        {"phase": "p", "jobs": [job | {"undo": "back"}]},
        {"phase": "q", "jobs": [{"job": "bad", "run": "fail", "with": {"message": "no"}}]},
    ]}  # fmt: skip
    async with stage.app(document, {"back": lambda order, index: seen.append((order, index))}) as a:
        run = await a.start("w", order=BIG, items=list(range(40)))
        await a.wait_ended(run.id, 20)
        assert sorted(index for _, index in seen) == list(range(40))
        assert {order for order, _ in seen} == {BIG}


@pytest.mark.parametrize(("first", "later", "lot"), [(1, 1, 1), (2, 3, 1 << 20), (5, 100, 99)])
async def test_a_long_history_is_loaded_in_lots(stage, monkeypatch, first, later, lot):
    async with stage.app(HANDED_ON) as app:
        run = await app.start("w", order="x" * (LARGE + 1), items=list(range(7)))
        await run.result(10)
        whole = await state_of(app, run.id)
        for name, value in (("FIRST", first), ("LATER", later), ("LOT", lot)):
            monkeypatch.setattr(resident, name, value)
        state = await state_of(app, run.id)
        assert (state.seq, state.status, list(state.steps)) == (
            whole.seq, "succeeded", list(whole.steps),
        )  # fmt: skip


async def test_a_run_that_is_removed_while_it_is_read_is_not_there(stage, monkeypatch):
    monkeypatch.setattr(resident, "FIRST", 1)
    async with stage.app(HANDED_ON) as app:
        run = await app.start("w", order=1, items=[1])
        await run.result(10)
        read = app.storage.history

        async def once(run_id, after=-1, limit=None):
            return await read(run_id, after, limit) if after < 0 else []

        monkeypatch.setattr(app.storage, "history", once)
        with pytest.raises(NotFoundError):
            await state_of(app, run.id)


async def test_a_letter_holds_a_large_event_whole(stage):
    document = one_job({"run": "noop"}) | {
        "on": [{"event": "GO"}],
        "input_schema": {"type": "object", "required": ["missing"]},
    }
    async with stage.app(document) as app:
        await app.emit("GO", {"order": BIG})
        (letter,) = await app.storage.dead_letters(LetterQuery(), Page())
        assert msgspec.json.decode(letter.event.data) == {"order": BIG}
        assert count(stage) == 1


@pytest.mark.parametrize("inline", [64, LARGE])
async def test_a_file_of_before_reads_on(tmp_path, inline):
    stage = Stage(File(tmp_path / "o.db"))
    async with stage.app(ECHO, limits=LimitSettings(inline=1 << 30)) as app:
        run = await app.start("w", order=BIG)
        await run.result(10)
        assert count(stage) == 0
    async with stage.app(limits=LimitSettings(inline=inline)) as app:
        assert msgspec.json.decode((await app.run_view(run.id)).output) == {"j": {"order": BIG}}


async def test_a_run_whose_value_is_missing_is_an_incident_of_that_run_alone(stage):
    waits = one_job({"wait": {"event": "GO"}})
    app = stage.app(waits)
    await app.__aenter__()
    run, other = await app.start("w", order=BIG), await app.start("w")
    for each in (run, other):
        await reached(app, each.id, "job.waiting")
    await crash(app)
    lose_values(stage)
    async with stage.app() as app:
        await app.emit("GO")
        await app.wait_ended(other.id, 10)
        while (head := await app.storage.head(run.id)).waiting_for != "repair":
            await asyncio.sleep(0)
        assert "is missing in the store" in head.error_message


def lose_values(stage):
    if stage.place.kind == "memory":
        stage.place.disk.values.data.clear()
        return
    with closing(sqlite3.connect(stage.place.path)) as db:
        db.execute("DELETE FROM value")
        db.commit()


async def test_runs_are_exported_with_their_values_whole(clocked, tmp_path):
    retention = RetentionSettings(runs=timedelta(days=1), export=str(tmp_path / "old"))
    async with clocked.app(ECHO, retention=retention) as app:
        run = await app.start("w", order=BIG)
        await run.result(10)
        clocked.jump(app, 100_000)
        await app.clean()
        assert await app.storage.head(run.id) is None
        assert count(clocked) == 0
    (file,) = (tmp_path / "old").iterdir()
    with gzip.open(file) as lines:
        (line,) = [msgspec.json.decode(one) for one in lines]
    assert (line["run"]["input"], line["run"]["output"]["j"]) == ({"order": BIG}, {"order": BIG})
    given = [fact["input"] for fact in line["history"] if fact["type"] == "job.ready"]
    assert given == [{"order": BIG}]


async def test_many_events_with_one_value_wait_in_the_outbox_with_one(stage):
    sending = one_job({
        "emit": {"type": "DONE", "data": {"order": "${ input.order }", "n": "${ index }"}},
        "each": {"in": "input.items", "as": "item", "at_once": 9},
    })  # fmt: skip
    async with stage.app(sending) as app:
        held = asyncio.Event()
        send = app.service.outbox.own.bus.send

        async def late(events):
            await held.wait()
            await send(events)

        app.service.outbox.own.bus.send = late
        run = await app.start("w", order=BIG, items=list(range(20)))
        await run.result(10)
        assert len(await app.storage.outbox(99)) == 20
        assert count(stage) == 1
        held.set()
        while await app.storage.outbox(1):
            await asyncio.sleep(0)
        assert await app.count_events(EventQuery(type="DONE")) == 20
        assert count(stage) == 1


async def test_a_run_that_was_loaded_holds_no_more_than_it_needs(stage):
    """A small result stands in one record with the large input of the next job."""
    document = HANDED_ON["phases"][0]["jobs"][0] | {"run": "noop"}
    async with stage.app(one_job(document) | {"output": "1"}) as app:
        run = await app.start("w", order="x" * 500_000, items=list(range(60)))
        await run.result(20)
        tracemalloc.start()
        try:
            state = await state_of(app, run.id)
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert len(state.steps) == 60
        assert held < 60 * 500_000 / 2
