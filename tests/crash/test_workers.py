"""A server and workers, each a process: what one leaves undone the next one does."""

import asyncio
import json
import os
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from ostinato import App

HERE = Path(__file__).parents[2]
DOCUMENT = {
    "workflow": "far",
    "phases": [
        {
            "phase": "p",
            "mode": "sequential",
            "jobs": [
                {"job": "one", "run": "far.step", "with": {"n": 1}},
                {"job": "two", "run": "far.stay"},
                {"job": "three", "run": "far.step", "with": {"n": "${ jobs.one.output }"}},
            ],
        }
    ],
}


class Process:
    """One that speaks JSON, a line at a time."""

    def __init__(self, process):
        self.process = process

    async def says(self, *names):
        """The next line with one of these members."""
        async for line in self.process.stdout:
            told = json.loads(line)
            if set(names) & set(told):
                return told
        raise AssertionError(f"it ended without {names}")

    async def end(self, number):
        self.process.send_signal(number)
        await self.process.stdout.read()
        return await self.process.wait()


@asynccontextmanager
async def ostinato(*command, **environment):
    given = os.environ | {"PYTHONPATH": f"{HERE / 'src'}:{HERE}"} | environment
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ostinato", *command, cwd=HERE, env=given,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def worker(address, name, **environment):
    command = ("worker", "tests.crash.hands:app", "--url", address, "--name", name)
    return ostinato(*command, "--lease", "1s", "--json", **environment)


def server(store, port="0"):
    return ostinato("serve", "--store", f"sqlite:///{store}", "--port", port, "--json")


async def ended(http, run_id):
    async with http.stream("GET", f"/runs/{run_id}/stream") as facts:
        async for _ in facts.aiter_raw():
            pass
    return (await http.get(f"/runs/{run_id}")).json()


@pytest.mark.real
@pytest.mark.timeout(120)
async def test_a_killed_workers_job_is_done_by_the_next_one(tmp_path):
    async with server(tmp_path / "o.db") as serving:
        address = (await serving.says("address"))["address"]
        async with httpx2.AsyncClient(base_url=address, trust_env=False, timeout=60) as http:
            await http.post("/workflows", json=DOCUMENT)
            run_id = (await http.post("/runs", json={"workflow": "far", "input": {}})).json()["id"]
            async with worker(address, "first", STAY="1") as first:
                while (said := await first.says("begun"))["begun"] != "p/two":
                    pass
                await first.end(signal.SIGKILL)
            async with worker(address, "second") as second:
                again = await second.says("begun")
                run = await ended(http, run_id)
                assert await second.end(signal.SIGTERM) == 0
            assert again == said  # the same attempt, under the same key
            assert (run["status"], run["output"]["three"]) == ("succeeded", 3)
            history = (await http.get(f"/runs/{run_id}/history")).json()
            types = [fact["type"] for fact in history if fact.get("key") == "p/two"]
            assert types.count("job.abandoned") == 1
            assert types[-1] == "job.succeeded"
            assert {fact["worker"] for fact in history if fact["type"] == "job.taken"} == {
                "first", "second",
            }  # fmt: skip
        assert await serving.end(signal.SIGTERM) == 0


@pytest.mark.real
@pytest.mark.timeout(120)
async def test_a_worker_hands_its_job_in_at_the_server_that_came_back(tmp_path):
    store = tmp_path / "o.db"
    async with server(store) as serving:
        address = (await serving.says("address"))["address"]
        async with httpx2.AsyncClient(base_url=address, trust_env=False, timeout=60) as http:
            await http.post("/workflows", json=DOCUMENT)
            run_id = (await http.post("/runs", json={"workflow": "far", "input": {}})).json()["id"]
        async with worker(address, "only") as only:
            await only.says("begun")
            await serving.end(signal.SIGKILL)
            port = address.rpartition(":")[2]
            async with server(store, port) as again:
                await again.says("address")
                async with httpx2.AsyncClient(
                    base_url=address, trust_env=False, timeout=60
                ) as http:
                    assert (await ended(http, run_id))["status"] == "succeeded"
            assert await only.end(signal.SIGTERM) == 0


@asynccontextmanager
async def servers(store, count):
    """Several on one database: by address."""
    command = ("serve", "--store", store, "--port", "0", "--json")
    async with AsyncExitStack() as stack:
        found = {}
        for _ in range(count):
            one = await stack.enter_async_context(ostinato(*command, OSTINATO_LEASE="2s"))
            found[(await one.says("address"))["address"]] = one
        yield found


async def first_answer(http, *ask, **more):
    """Whoever takes over does so within its lease."""
    while (answer := await http.request(*ask, **more)).status_code == 503:
        pass
    return answer


@pytest.mark.real
@pytest.mark.timeout(120)
async def test_a_worker_goes_on_with_the_server_that_takes_over(new_database):
    """It was told no address: it looks in the store, and again when nobody answers there. So does
    whoever waits for the result."""
    store = new_database()
    told = ("worker", "tests.crash.hands:app", "--store", store, "--lease", "2s", "--json")
    async with servers(store, 2) as found, ostinato(*told) as only:
        first = (await only.says("server"))["server"]
        app = App(store=store)
        async with httpx2.AsyncClient(base_url=first, trust_env=False, timeout=60) as http:
            await http.post("/workflows", json=DOCUMENT)
        before = await app.start("far", input={})
        assert (await before.result(60))["three"] == 3
        open_one = await app.start("far", input={})
        waiting = asyncio.create_task(open_one.result(60))
        await only.says("begun")
        assert await found.pop(first).end(signal.SIGKILL) == -signal.SIGKILL
        assert (await waiting)["three"] == 3
        [left] = found
        async with httpx2.AsyncClient(base_url=left, trust_env=False, timeout=60) as http:
            run = {"workflow": "far", "input": {}}
            run_id = (await first_answer(http, "POST", "/runs", json=run)).json()["id"]
            assert (await ended(http, run_id))["output"]["three"] == 3
        assert await only.end(signal.SIGTERM) == 0
