"""The rest of the cases: what people ask for. They join those of ``limit_cases``."""

import pytest

from ostinato.app.elsewhere import Fetch
from ostinato.errors import InvalidInput, UsageError
from ostinato.ports import EventQuery, Page
from ostinato.web.asgi import application
from tests.app.limit_cases import BIG, HOLD, NOOP, SMALL, case
from tests.stage import one_job, reached
from tests.web.conftest import client_of


@case("a reason (`why`)")
async def why(stage):
    async with stage.app(HOLD | {"on": [{"every": "1h"}]}) as app:
        with pytest.raises(UsageError, match="why has 2,001 characters"):
            await app.pause_schedule("w/on/0", why="x" * 2_001)
        run = await app.start("w")
        for verb in (app.cancel, app.pause, app.retry, app.fork):
            with pytest.raises(UsageError, match="why has 2,001 characters"):
                await verb(run.id, why="x" * 2_001)


@case("what a signal carries", "limits.event")
async def signal(stage):
    async with stage.app(HOLD, limits=SMALL) as app, client_of(application(app)) as http:
        run = await app.start("w")
        asked = {"type": "PAID", "data": BIG}
        answer = await http.post(f"/runs/{run.id}/signal", json=asked)
        assert (answer.status_code, "limits.event" in answer.json()["detail"]) == (413, True)
        with pytest.raises(UsageError, match="type: 1 to 256"):
            await app.signal(run.id, "x" * 300)


@case("the value of a skip", "limits.result")
async def skip(stage):
    async with stage.app(HOLD, limits=SMALL) as app, client_of(application(app)) as http:
        run = await app.start("w")
        asked = {"job": "p/j", "output": BIG}
        answer = await http.post(f"/runs/{run.id}/skip", json=asked)
        assert (answer.status_code, "limits.result" in answer.json()["detail"]) == (413, True)


@case("an edited input", "limits.input")
async def edited(stage):
    async with stage.app(HOLD, limits=SMALL) as app, client_of(application(app)) as http:
        run = await app.start("w")
        for verb in ("retry", "fork"):
            answer = await http.post(f"/runs/{run.id}/{verb}", json={"input": {"a": BIG}})
            assert (answer.status_code, "limits.input" in answer.json()["detail"]) == (413, True)


@case("rows of a page")
async def rows(stage):
    async with stage.app(NOOP) as app, client_of(application(app)) as http:
        answer = await http.get("/events?limit=1001")
        assert (answer.status_code, "1000" in answer.json()["detail"]) == (422, True)


@case("bytes of a page")
async def page(stage):
    async with stage.app(one_job({"run": "noop", "with": "${ input }"})) as app:
        for number in range(20):
            await app.emit("GO", "x" * 1_000_000, id=f"e{number:02}")
        async with client_of(application(app)) as http:
            first = await http.get("/events?limit=1000")
            assert len(first.json()) == 16
            link = first.headers["link"].partition(">")[0][1:]
            assert len((await http.get(link)).json()) == 4
        assert len(await app.events(EventQuery(), Page(1_000))) == 20


@case("dead letters redriven at once")
async def redriven(stage):
    async with stage.app(NOOP) as app:
        with pytest.raises(UsageError, match="1,000 dead letters"):
            await app.redrive(*(str(number) for number in range(1_001)))


@case("instants of a back-fill")
async def backfill(stage):
    document = NOOP | {"on": [{"every": "1s"}]}
    async with stage.app(document) as app:
        with pytest.raises(UsageError, match="10,000"):
            await app.backfill_schedule("w/on/0", since=0, until=app.now())


@case("what completes a task", "limits.result")
async def task(stage):
    document = one_job({"task": {"name": "sign"}})
    async with stage.app(document, limits=SMALL) as app, client_of(application(app)) as http:
        run = await app.start("w")
        await reached(app, run.id, "job.waiting")
        (task,) = await app.tasks()
        answer = await http.post(f"/tasks/{task.id}/complete", json={"data": {"a": BIG}})
        assert (answer.status_code, "limits.result" in answer.json()["detail"]) == (413, True)


async def unmet(stage, asked, told):
    async with stage.app(NOOP) as app:
        with pytest.raises(InvalidInput, match=told):
            await app.fetch_jobs(asked)


@case("jobs that a worker asks for at once")
async def many_jobs(stage):
    await unmet(stage, Fetch(["a"], "w", 1_001), "1,001 is not within")


@case("topics that a worker asks for")
async def many_topics(stage):
    await unmet(stage, Fetch(["a"] * 101, "w"), "one to 100 names, not 101")
    await unmet(stage, Fetch(["a" * 201], "w"), "no name of 1 to 200 characters")


@case("the lease of a job elsewhere")
async def lease(stage):
    for span in ("999ms", "61m"):
        await unmet(stage, Fetch(["a"], "w", lease=span), "is not within 1,000 to 3,600,000")


@case("how long a worker waits for a job")
async def long_poll(stage):
    await unmet(stage, Fetch(["a"], "w", wait="61s"), "wait: 61,000 is not within 0 to 60,000")


@case("what a worker hands in", "limits.result")
async def handed_in(stage):
    document = one_job({"run": "elsewhere"})
    async with stage.app(document, limits=SMALL) as app, client_of(application(app)) as http:
        await app.start("w")
        (job,) = await app.fetch_jobs(Fetch(["elsewhere"], "w"))
        told = {"token": job.token, "output": BIG}
        answer = await http.post(f"/jobs/{job.id}/complete", json=told)
        assert (answer.status_code, "limits.result" in answer.json()["detail"]) == (413, True)
