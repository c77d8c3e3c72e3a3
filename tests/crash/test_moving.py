"""A store is moved with all that runs in it: applications go on there with every one of them."""

import pytest

from ostinato import App, Later
from ostinato.app import Once, Run
from ostinato.app.elsewhere import Done, Fetch
from ostinato.app.moving import move_store
from ostinato.ports import LetterQuery, Page, RunQuery
from ostinato.runtime.handlers import Job
from ostinato.testing.history_checker import check_store
from tests.crash.load import Load, Notes, Server, finish_here


def heard(type):
    return {"event": type, "match": {"data": {"id": ["${ input.id }"]}}}


def workflow(name, *jobs, **more):
    phases = [{"phase": "p", "mode": "sequential", "jobs": list(jobs)}]
    return {"workflow": name, "phases": phases} | more


LINE = {"concurrency": {"limit": 1}}
DOCUMENTS = [
    workflow("early", {"job": "go", "wait": heard("GO")}, {"job": "paid", "wait": heard("PAID")}),
    workflow("late", {"job": "paid", "wait": heard("LATE"), "timeout": "1h"}),
    workflow("nap", {"job": "nap", "wait": "1s"}, {"job": "after", "run": "work"}),
    workflow("person", {"job": "ask", "task": {"name": "Sign", "outcomes": ["yes", "no"]}}),
    workflow("token", {"job": "ask", "run": "ask"}),
    workflow("line", {"job": "mine", "wait": heard("NEXT"), **LINE}),
    workflow("queue", {"job": "mine", "wait": heard("NEXT")}, concurrency={"limit": 1}),
    workflow("far", {"job": "away", "run": "elsewhere", "with": {"id": "${ input.id }"}}),
    workflow("caller", {"job": "called", "call": "late", "with": {"id": "${ input.id }"}}),
    workflow(
        "large",
        {"job": "wait", "wait": heard("LARGE")},
        {"job": "same", "run": "work", "with": {"blob": "${ input.blob }"}},
        output={"blob": "input.blob"},
    ),
    workflow("paced", {"job": "one", "run": "work", "rate": {"limit": 1, "per": "1h"}}),
    workflow("nightly", {"job": "one", "run": "work"}, on=[{"every": "1h"}]),
    workflow(
        "strict",
        {"job": "one", "run": "work"},
        on=[{"event": "STRICT"}],
        input_schema={"type": "object", "required": ["n"]},
    ),
]


def application(store):
    app = App(store=store)
    app.tokens = {}
    for document in DOCUMENTS:
        app.workflow_document(document)

    @app.handler("work")
    async def work(job: Job, blob=None):
        return job.key

    @app.handler("ask")
    async def ask(job: Job):
        app.tokens[job.run_id] = job.token
        return Later()

    return app


def wanted(worker):
    return Fetch(topics=["elsewhere"], worker=worker, max=1, lease="60s", wait=0)


async def reached(app, run_id, kind):
    """Until the run says so."""
    async for fact in app.stream(run_id):
        if fact["type"] == kind:
            return


async def begin(app):
    """Runs of every kind, and what was said before the move."""
    blob = {"text": "x" * 100_000}
    given = [
        ("early", "job.waiting"), ("late", "job.waiting"), ("nap", "job.waiting"),
        ("person", "job.waiting"), ("token", "job.waiting"), ("line", "job.waiting"),
        ("line", "job.queued"), ("queue", "job.waiting"), ("queue", "run.queued"),
        ("far", "job.offered"), ("far", "job.offered"), ("caller", "job.called"),
        ("large", "job.waiting"), ("paced", "run.succeeded"),
    ]  # fmt: skip
    runs = []
    for n, (name, kind) in enumerate(given):
        run = await app.start_run(name, {"id": f"i{n}", "blob": blob})
        await reached(app, run.id, kind)
        runs.append(run.id)
    return runs


def once():
    return Once("POST /runs", "key", b"body", lambda view: view.id.encode())


@pytest.mark.real
@pytest.mark.timeout(120)
@pytest.mark.parametrize("way", ["there", "there and back"])
async def test_all_that_waits_goes_on_in_the_other_store(tmp_path, new_database, way):
    store, url = f"sqlite:///{tmp_path}/o.db", new_database()
    async with (app := application(store)):
        runs = await begin(app)
        paid = await app.emit("PAID", {"id": "i0"}, id="paid")
        await app.emit("STRICT", {"m": 1}, id="strict")
        first = await app.start_run("late", {"id": "once"}, once=once())
        [claimed] = await app.fetch_jobs(wanted("w1"))
        schedules = await app.schedules()
        letters = await app.dead_letters(LetterQuery(), Page())
        still = [run_id for run_id in runs if run_id != runs[2]]  # but the one that naps
        shown = [(await app.run_view(run_id)).jobs for run_id in still]
        tokens = app.tokens
        await app.close(drain=0)
    assert len(letters) == 1
    view = await move_store(store, url)
    filled = {name for name, count in view.rows.items() if count}
    assert {"value", "place", "turn", "bucket", "job", "task", "timer", "schedule"} <= filled
    if way == "there and back":
        store, before = f"sqlite:///{tmp_path}/again.db", url
        await move_store(before, store)
    else:
        store = url
    async with (app := application(store)):
        assert await app.dead_letters(LetterQuery(), Page()) == letters
        assert [one.id for one in await app.schedules()] == [one.id for one in schedules]
        assert [(await app.run_view(run_id)).jobs for run_id in still] == shown
        again = await app.emit("PAID", {"id": "i0"}, id="paid")
        assert (again.duplicate, again.runs) == (True, paid.runs)
        replayed = await app.start_run("late", {"id": "once"}, once=once())
        assert (replayed.id, replayed.replayed) == (first.id, True)
        await go_on(app, runs, claimed, tokens)
        for run_id in [*runs, first.id]:
            await Run(app, run_id).result(60)
        assert (await Run(app, runs[12]).result())["blob"] == {"text": "x" * 100_000}
        over = await app.runs(RunQuery(), Page(100))
        assert {head.status for head in over} == {"succeeded"}
        found = await check_store(app.storage, app._catalog.graph, now=app.now())
        assert [str(violation) for violation in found] == []


async def go_on(app, runs, claimed, tokens):
    """What the world says after the move."""
    await app.complete_job(claimed.id, Done(claimed.token))
    [other] = await app.fetch_jobs(wanted("w2"))
    assert other.run_id != claimed.run_id
    await app.complete_job(other.id, Done(other.token))
    await app.answer(tokens[runs[4]], output="yes")
    [task] = await app.tasks()
    await app.complete(task.id, outcome="yes", by="ann")
    for type, which in (("GO", "i0"), ("LATE", "i1"), ("LATE", "i11"), ("LATE", "once")):
        await app.emit(type, {"id": which})
    for n in (5, 6, 7, 8):
        await app.emit("NEXT", {"id": f"i{n}"})
    await app.emit("LARGE", {"id": "i12"})


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_server_that_was_killed_under_load_goes_on_elsewhere(tmp_path, new_database):
    store, url, notes = f"sqlite:///{tmp_path}/o.db", new_database(), Notes()
    async with Server(store, notes) as server, Load([server], notes, 1) as load:
        await notes.wait_begun(300)
        await server.kill()
        view = await move_store(store, url)
        assert view.open > 0
        server.store = url
        await server.start()
        await notes.wait_begun(300)
        await load.finish()
        assert await server.stop() == 0
        assert load.problems == []
        await finish_here(url, load)
