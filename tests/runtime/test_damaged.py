"""A row of the file that something else has damaged: it is named, and all else goes on."""

import asyncio
import sqlite3

import pytest
from msgspec import UNSET, Raw, json
from structlog.testing import capture_logs

from ostinato.core.cloudevents import Event
from ostinato.errors import ConflictError
from ostinato.ports import (
    Batch,
    DeadLetter,
    EventQuery,
    LetterQuery,
    Mail,
    Outgoing,
    Page,
    RunFilter,
    RunQuery,
    StoredEvent,
    TaskQuery,
)
from ostinato.web.asgi import application
from tests.stage import File, Stage, one_job, reached
from tests.web.conftest import client_of

WAITS = one_job({"wait": {"event": "PAID", "match": {"data": {"id": ["${ input.id }"]}}}})
TAKES = one_job({"run": "noop"}, name="taker", on=[{"event": "GO"}])
ONE = one_job({"wait": {"event": "NEVER"}}, name="one", concurrency={"limit": 1})

ANSWER = b'{"id": "e1", "source": "shop", "runs": []}'
SMALL, LARGE = "z", "z" * 40_000


@pytest.fixture
def stage(tmp_path):
    return Stage(File(tmp_path / "ostinato.db"))


def app_of(stage):
    app = stage.app(WAITS)
    app.workflow_document(TAKES)
    app.workflow_document(ONE)
    return app


def event(id, type, /, **data):
    return Event(id, "shop", type, 1_800_000_000_000, None, Raw(json.encode(data)))


async def left_by_a_dead_process(stage, fill, *damage):
    """A run that waits, the event for it, two events to be sent; then the damage."""
    async with app_of(stage) as app:
        run = await app.start("w", id="k")
        await reached(app, run.id, "job.waiting")
    with sqlite3.connect(stage.place.path) as db:
        ((key,),) = db.execute("SELECT values_key FROM wait").fetchall()
    store = stage.place.store()
    await store.open()
    paid = StoredEvent(event("e1", "PAID", id="k", fill=fill), 2_000_000_000_000, ANSWER, (key,))
    sent = [Outgoing(event("o1", "GO", fill=fill), run.id), Outgoing(event("o2", "GO"), run.id)]
    await store.commit(Batch(epoch=await store.join(), events=[paid], outgoing=sent))
    await store.close()
    with sqlite3.connect(stage.place.path) as db:
        assert all(db.execute(one).rowcount == 1 for one in damage)
    db.close()
    return run.id


def spoil(stage, damage, rows=1):
    with sqlite3.connect(stage.place.path) as db:
        assert db.execute(damage).rowcount == rows
    db.close()


async def letters(app):
    return await app.storage.dead_letters(LetterQuery(), Page())


async def stored_letters(app):
    """Once what was posted at the start is done."""
    await (await app.start("taker")).result(5)
    return [one for one in await letters(app) if one.kind == "stored"]


@pytest.mark.parametrize(
    ("fill", "damage", "why"),
    [
        (SMALL, "SET event = '{nope'", "it holds {nope"),
        (SMALL, "SET event = 7", "it holds 7"),
        (LARGE, "SET holes = '[['", "cannot be read"),
        (LARGE, "SET holes = '[[0, \"00\"]]'", "is missing in the store"),
    ],
)
async def test_an_outgoing_event_is_a_dead_letter_and_the_next_goes_out(stage, fill, damage, why):
    run_id = await left_by_a_dead_process(stage, fill, f"UPDATE outbox {damage} WHERE number = 1")
    async with app_of(stage) as app:
        while await app.storage.outbox(1) or not await app.count_runs(RunQuery(workflow="taker")):
            await asyncio.sleep(0)
        assert await app.count_runs(RunQuery(workflow="taker")) == 1  # o2 has started it
        (letter,) = await letters(app)
        assert (letter.kind, letter.target, letter.event) == ("outgoing", run_id, None)
        assert why in letter.reasons.decode()
        assert app.service.dead_letters["outgoing"] == 1


@pytest.mark.parametrize(
    ("fill", "damage"),
    [
        (SMALL, "UPDATE event SET data = '{nope' WHERE type = 'PAID'"),
        (SMALL, "UPDATE event SET data = 7 WHERE type = 'PAID'"),
        (SMALL, "UPDATE event SET extensions = '{nope' WHERE type = 'PAID'"),
        (LARGE, "UPDATE event SET holes = '[[' WHERE type = 'PAID'"),
        (LARGE, "DELETE FROM value"),
    ],
)
async def test_an_event_that_a_run_waits_for_is_one_dead_letter_at_every_start(stage, fill, damage):
    run_id = await left_by_a_dead_process(stage, fill, damage)
    for _ in range(2):
        async with app_of(stage) as app:
            (letter,) = await stored_letters(app)
            assert (letter.target, letter.event_id, letter.event_source) == ("PAID", "e1", "shop")
            view = await app.run_view(run_id)
            assert (view.waiting_for, view.incident) == ("event", None)
    async with app_of(stage) as app:
        (stays,) = (await app.redrive(letter.id)).letters
        assert stays.outcome == "stays"
        (after,) = await stored_letters(app)
        assert after.reasons == letter.reasons  # what is known of it is not written over
        (again,) = await app.accept([event("e1", "PAID", id="k")])
        assert again.duplicate


async def test_it_is_named_too_when_a_run_looks_back_for_it(stage):
    damage = "UPDATE event SET data = '{nope' WHERE type = 'PAID'"
    await left_by_a_dead_process(stage, SMALL, damage, "DELETE FROM wait")
    async with app_of(stage) as app:
        await app.service.engine.rest()
        assert await letters(app) == []
        run = await app.start("w", id="k")
        await reached(app, run.id, "job.waiting")
        while not await letters(app):
            await asyncio.sleep(0)


async def test_lists_show_it_as_damaged_beside_the_others(stage):
    damage = "UPDATE event SET data = '{nope' WHERE type = 'PAID'"
    await left_by_a_dead_process(stage, SMALL, damage)
    async with app_of(stage) as app:
        while await app.storage.outbox(1):
            await asyncio.sleep(0)
        listed = {one.event.id: one.event for one in await app.events(EventQuery(), Page())}
        assert set(listed) == {"e1", "o1", "o2"}
        assert "damaged: its row in the store cannot be read" in listed["e1"].description
        assert bytes((await app.event("e1")).event.data) == b"null"


async def test_a_turn_that_cannot_be_read_is_an_incident_of_its_run(stage):
    async with app_of(stage) as app:
        first = await app.start("one")
        await reached(app, first.id, "job.waiting")
        second = await app.start("one")
        await app.service.engine.rest()
    with sqlite3.connect(stage.place.path) as db:
        assert db.execute("UPDATE turn SET wants = 'nope'").rowcount == 1
    db.close()
    async with app_of(stage) as app:
        while (view := await app.run_view(second.id)).waiting_for != "repair":
            await asyncio.sleep(0)
        assert "waits its turn for cannot be read" in view.incident
        assert (await app.run_view(first.id)).waiting_for == "event"


@pytest.mark.parametrize("damage", ["event = '{nope'", "holes = '[['"])
async def test_a_letter_whose_event_cannot_be_read_is_listed_with_its_reasons(stage, damage):
    store = stage.place.store()
    await store.open()
    kept = [
        DeadLetter(
            f"l{n}", n, "trigger", "t", "shop", f"e{n}", b"[]", event(f"e{n}", "GO", fill=LARGE)
        )
        for n in range(2)
    ]
    await store.commit(Batch(epoch=await store.join(), dead_letters=kept))
    await store.close()
    with sqlite3.connect(stage.place.path) as db:
        assert db.execute(f"UPDATE dead_letter SET {damage} WHERE id = 'l0'").rowcount == 1
    db.close()
    async with app_of(stage) as app:
        assert [(one.id, one.event) for one in await letters(app)] == [
            ("l1", kept[1].event),
            ("l0", None),
        ]
        assert (await app.redrive("l0")).letters[0].outcome == "stays"


async def test_a_repair_of_many_runs_is_named_and_its_stop_mends_it(stage):
    async with app_of(stage) as app:
        runs = [await app.start("w", id=str(n)) for n in range(2)]
        where = RunFilter(workflow="w")
        old, new = [await app.preview_bulk("cancel", where) for _ in range(2)]
        await app.start_bulk(old.preview_token, rate=0.01)
    spoil(stage, "UPDATE operation SET data = substr(data, 1, 40)", 2)
    with capture_logs() as told:
        async with app_of(stage) as app:
            with pytest.raises(ConflictError, match="cannot be read"):
                await app.start_bulk(new.preview_token)
            (listed,) = await app.operations()
            assert (listed.status, "cannot be read" in listed.why) == ("running", True)
            await app.stop_operation(old.preview_token, by="ada")
            mended = await app.preview_bulk("cancel", where)
            await app.start_bulk(mended.preview_token, rate=1000)
            for run in runs:
                await reached(app, run.id, "run.cancelled")
    (line,) = [line for line in told if line["event"] == "operation.damaged"]
    assert line["id"] == old.preview_token
    assert "operations stop" in line["hint"]
    async with app_of(stage) as app:
        assert (await app.operation(old.preview_token)).stopped_by == "ada"


async def test_what_one_run_tells_another_is_named_when_it_cannot_be_read(stage):
    store = stage.place.store()
    await store.open()
    said = [Mail("answer", "r1", "r1", "p/a", 1, b"{}"), Mail("hangup", "r2", "r1", "p/b", 1, b"[")]
    await store.commit(Batch(epoch=await store.join(), mail={one.line: one for one in said}))
    with capture_logs() as told:
        assert await store.mail() == said[:1]
    await store.close()
    (line,) = [line for line in told if line["event"] == "mail.damaged"]
    assert (line["told"], "ostinato retry r1 p/b" in line["hint"]) == ("r2", True)


@pytest.mark.parametrize("asked", ["'{nope'", "7", "'[]'", "x'ff'"])
async def test_a_task_is_listed_as_damaged_beside_the_others(stage, asked):
    task = {"name": "Sign", "outcomes": ["yes"], "assignee": "ann"}
    async with stage.app(one_job({"task": task}, name="signs")) as app:
        runs = [await app.start("signs") for _ in range(2)]
        for run in runs:
            await reached(app, run.id, "job.waiting")
        first, second = await app.tasks()
    spoil(stage, f"UPDATE task SET asked = {asked} WHERE id = '{first.id}'")
    async with stage.app() as app:
        seen = {one.id: one for one in await app.tasks()}
        assert "cannot be read" in seen[first.id].damaged
        assert (seen[first.id].name, seen[first.id].assignee_id) == ("Sign", "ann")
        assert seen[second.id].damaged is UNSET
        async with client_of(application(app)) as http:
            listed = (await http.get("/tasks")).json()
            assert [bool(one.get("damaged")) for one in listed] == [True, False]
        with pytest.raises(ConflictError, match="goes on without it"):
            await app.complete(first.id, outcome="yes")
        await app.complete(second.id, outcome="yes")


async def test_a_task_whose_answer_cannot_be_read_is_listed(stage):
    async with stage.app(one_job({"task": {"name": "Sign"}}, name="signs")) as app:
        run = await app.start("signs")
        await reached(app, run.id, "job.waiting")
        (task,) = await app.tasks()
        await app.complete(task.id, data={"a": "x"})
    spoil(stage, "UPDATE task SET answer = '{nope'")
    async with stage.app() as app:
        (shown,) = await app.tasks(TaskQuery())
        assert (shown.status, shown.answer) == ("completed", None)
        assert "cannot be read" in shown.damaged
