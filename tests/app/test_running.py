"""Ways to run an app: in a script, in another application, from blocking code."""

import asyncio
import threading

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from ostinato import App
from ostinato.app import Run, RunEnded
from ostinato.config import Settings
from ostinato.errors import NothingIsRunning, OstinatoError, UsageError
from ostinato.ports import RunQuery
from tests.stage import Gate, one_job, reached

NOOP = one_job({"run": "noop"}, output="input.n")


# async with


async def test_an_app_runs_in_a_script(stage):
    async with stage.app(NOOP) as app:
        assert await (await app.start("w", n=1)).result(5) == 1


async def test_an_app_can_be_opened_again(stage):
    app = stage.app(NOOP)
    for number in range(3):
        async with app:
            assert await (await app.start("w", n=number)).result(5) == number
    async with app:
        assert await app.count_runs(RunQuery()) == 3


async def test_an_app_touches_nothing_before_it_is_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = App(store="sqlite:///o.db")
    app.workflow_document(NOOP)
    app.handler("mine")(lambda: None)
    assert list(tmp_path.iterdir()) == []


async def test_without_an_engine_a_call_says_the_two_ways_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = App(Settings(store="memory:"))
    for call in (app.start("w"), app.emit("GO")):
        with pytest.raises(NothingIsRunning, match=r"async with.*ostinato serve"):
            await call


async def test_a_handler_can_start_a_run_of_itself(stage):
    app = stage.app()

    @app.handler("double")
    async def double(n: int):
        return 2 * n

    async with app:
        assert await double(2) == 4
        assert await (await double.start(n=3)).result(5) == 6


async def test_a_handler_can_use_the_app(stage):
    async def outer(app: App, run: Run):
        inner = await app.start("w", n=7)
        return await inner.result(5)

    async with stage.app(NOOP, {"outer": outer}) as app:
        await app.deploy(one_job({"run": "outer"}, "outer"))
        assert await (await app.start("outer")).result(5) == {"j": 7}


async def test_a_result_that_does_not_come_in_time(stage):
    async with stage.app(one_job({"wait": "1h"})) as app:
        run = await app.start("w")
        with pytest.raises(TimeoutError, match="still waiting"):
            await run.result(0.01)
        assert not app.service.engine.outlets.watching


async def test_a_result_can_be_asked_for_after_the_end_and_by_many(stage):
    gate = Gate()
    async with stage.app(one_job({"run": "gate"}), {"gate": gate.__call__}) as app:
        run = await app.start("w")
        waiting = [asyncio.create_task(run.result(5)) for _ in range(5)]
        await gate.begun.wait()
        gate.open.set()
        assert await asyncio.gather(*waiting) == [{"j": 1}] * 5
        assert await run.result(5) == {"j": 1}


async def test_the_end_is_seen_however_close_it_comes(stage):
    async with stage.app(NOOP) as app:
        for number in range(50):
            run = await app.start("w", n=number)
            for _ in range(number % 7):
                await asyncio.sleep(0)
            assert await run.result(5) == number


async def test_a_stream_has_every_fact_once_and_ends(stage):
    gate = Gate()
    async with stage.app(one_job({"run": "gate"}), {"gate": gate.__call__}) as app:
        run = await app.start("w")
        await gate.begun.wait()
        stream = app.stream(run.id)
        first = await anext(stream)
        gate.open.set()
        seqs = [first["seq"], *[fact["seq"] async for fact in stream]]
        assert seqs == list(range(len(await app.history(run.id))))


async def test_a_run_cannot_be_cancelled_twice(stage):
    async with stage.app(one_job({"wait": "1h"})) as app:
        run = await app.start("w")
        await run.cancel("enough")
        with pytest.raises(RunEnded):
            await run.result(5)
        with pytest.raises(OstinatoError, match="over already: cancelled"):
            await run.cancel()


# mounted


async def test_an_app_runs_inside_another_application(stage):
    app = stage.app(one_job({"run": "noop"}, on=[{"event": "GO"}]))
    door = app.asgi()

    async def home(request):
        run = await app.start("w")
        await run.result(5)
        return PlainTextResponse(run.id)

    foreign = Starlette(
        routes=[Route("/home", home), Mount("/flows", door)], lifespan=door.lifespan
    )
    async with foreign.router.lifespan_context(foreign):
        import httpx2

        transport = httpx2.ASGITransport(app=foreign, client=("127.0.0.1", 1))
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            told = await http.post("/flows/events", json={"type": "GO", "data": {}})
            assert told.status_code == 202
            await reached(app, told.json()["runs"][0], "run.succeeded")
            ours = (await http.get("/home")).text
            assert (await http.get(f"/flows/runs/{ours}")).json()["status"] == "succeeded"
    with pytest.raises(NothingIsRunning):
        _ = app.service


# sync


def test_blocking_code_has_the_same_verbs(stage):
    app = stage.app(NOOP)
    with app.sync as sync:
        assert sync.deploy(one_job({"run": "noop"}, "v", on=[{"event": "GO"}])) == 1
        assert sync.start("w", n=5).result(timeout=5) == 5
        (run_id,) = sync.emit("GO").runs
        assert sync.call(Run(app, run_id).result(5)) == {"j": None}
        waiting = sync.start("w", n=1)
        assert waiting.view().id == waiting.id
    assert threading.active_count() < 50


def test_blocking_code_needs_an_engine(stage):
    app = stage.app(NOOP)
    with pytest.raises(NothingIsRunning, match=r"with app\.sync"):
        app.sync.start("w", n=1)


async def test_a_handler_in_a_thread_can_use_the_running_app(stage):
    def outer(app: App):
        return app.sync.start("w", n=7).result(timeout=5)

    async with stage.app(NOOP, {"outer": outer}) as app:
        await app.deploy(one_job({"run": "outer"}, "outer"))
        assert await (await app.start("outer")).result(5) == {"j": 7}


async def test_blocking_the_loop_that_would_answer_is_refused(stage):
    async with stage.app(NOOP) as app:
        with pytest.raises(UsageError, match="use app and await"):
            app.sync.start("w", n=1)
        with pytest.raises(UsageError, match="runs already"), app.sync:
            pass
