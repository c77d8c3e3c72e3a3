"""A server is killed with SIGKILL twenty times under load, and started again each time.

Clients send until they are answered, and note what they were told. Handlers note what they begin.
What is stored in the end must keep every promise: the history checker and the notes judge it.
"""

import asyncio
import json
import os
import random
import signal
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from ostinato.app import Run
from ostinato.config import override_settings
from ostinato.ports import Page, RunQuery
from ostinato.testing.history_checker import Journal, check_store
from tests.crash import flows

KILLS = 20
CLIENTS = 8
MOMENTS = ((100, 150, 200), (1, 5, 20))
"""Attempts that begin before a kill."""

HERE = Path(__file__).parents[2]
STEPS = {
    "order": {"first/a", "first/b", "spread[0]/part", "spread[1]/part", "spread[2]/part",
              "spread[3]/part", "second/shaky", "second/nap", "second/paid", "second/ask",
              "last/tell"},
    "after": {"p/file"},
    "plain": {"p/x", "p/y"},
}  # fmt: skip
WITHOUT_HANDLER = {"second/nap", "second/paid", "last/tell"}


class Server:
    """The process that is killed. ``begun`` counts the lines of its handlers."""

    def __init__(self, store, **settings):
        self.store = store
        self.settings = {f"OSTINATO_{name.upper()}": value for name, value in settings.items()}
        self.lines = asyncio.Condition()
        self.begun: Counter[str] = Counter()
        self.tokens: asyncio.Queue[str] = asyncio.Queue()
        self.up = asyncio.Event()
        self.address = ""

    async def start(self):
        environment = os.environ | self.settings | {"PYTHONPATH": f"{HERE / 'src'}:{HERE}"}
        command = [sys.executable, "-m", "ostinato", "serve", "tests.crash.flows:app"]
        self.process = await asyncio.create_subprocess_exec(
            *command, "--store", self.store, "--port", "0", "--json",
            cwd=HERE, env=environment, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL, limit=1 << 20,
        )  # fmt: skip
        self.reading = asyncio.create_task(self._read())
        await self.up.wait()

    async def _read(self):
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            with suppress(json.JSONDecodeError):  # a line that was cut in the middle
                await self._heard(json.loads(line))
        self.up.set()  # whoever waits for a process that never came up finds it dead

    async def _heard(self, said):
        if "address" in said:
            self.address = said["address"]
            self.up.set()
            return
        async with self.lines:
            self.begun[said["key"]] += 1
            self.lines.notify_all()
        if "token" in said:
            self.tokens.put_nowait(said["token"])

    async def wait_begun(self, more):
        """Until so many more attempts have begun."""
        goal = self.begun.total() + more
        async with self.lines:
            await self.lines.wait_for(lambda: self.begun.total() >= goal)

    async def kill(self):
        self.up.clear()
        self.process.kill()
        await self.process.wait()
        await self.reading
        self.up.clear()

    async def stop(self):
        self.process.send_signal(signal.SIGTERM)
        await self.reading
        return await self.process.wait()


class Load:
    """Clients that repeat each request until it is answered."""

    def __init__(self, server, seed):
        self.server = server
        self.chance = random.Random(seed)
        self.journal = Journal()
        self.enough = asyncio.Event()
        self.number = 0
        self.problems = []

    async def send(self, path, body, **headers):
        while True:
            await self.server.up.wait()
            with suppress(httpx2.TransportError):
                answer = await self.http.post(
                    self.server.address + path, json=body, headers=headers, timeout=10
                )
                if answer.status_code not in (429, 503):
                    return answer
            await asyncio.sleep(0)

    async def emit(self, type, event_id, data):
        body = {"specversion": "1.0", "id": event_id, "source": "load", "type": type, "data": data}
        answer = await self.send("/events", body)
        told = answer.json()
        if answer.status_code != 202:
            self.problems.append(answer.text)
            return
        before = self.journal.events.setdefault(("load", event_id), tuple(told["runs"]))
        if before != tuple(told["runs"]):
            self.problems.append(f"{event_id} was answered {before}, then {told}")

    async def order(self, number):
        name = f"o{number}"
        sends = [
            ("ORDER", f"order-{number}", {"id": name, "items": [1, 2, 3, 4]}),
            ("PAID", f"paid-{number}", {"id": name}),
        ]
        for type, event_id, data in sends:
            await self.emit(type, event_id, data)
            if self.chance.random() < 0.3:
                await self.emit(type, event_id, data)  # a client that did not hear the answer

    async def plain(self, number):
        key = {"Idempotency-Key": f"key-{number}"}
        body = {"workflow": "plain", "input": {"n": number}}
        answers = [await self.send("/runs", body, **key) for _ in range(self.chance.choice((1, 2)))]
        told = {answer.json().get("id") for answer in answers}
        if len(told) != 1 or {answer.status_code for answer in answers} != {201}:
            self.problems.append([answer.text for answer in answers])
        self.journal.starts |= told

    async def client(self):
        while not self.enough.is_set():
            self.number += 1
            kind = self.order if self.chance.random() < 0.6 else self.plain
            await kind(self.number)

    async def answerer(self):
        while True:
            token = await self.server.tokens.get()
            answer = await self.send(f"/callbacks/{token}", {"output": "yes"})
            if answer.status_code not in (204, 409):  # 409: it was answered before a crash
                self.problems.append(answer.text)
            self.server.tokens.task_done()

    async def __aenter__(self):
        self.http = httpx2.AsyncClient(trust_env=False)
        self.clients = [asyncio.create_task(self.client()) for _ in range(CLIENTS)]
        self.answering = [asyncio.create_task(self.answerer()) for _ in range(2)]
        return self

    async def finish(self):
        """Every request that was begun is answered."""
        self.enough.set()
        await asyncio.gather(*self.clients)

    async def __aexit__(self, *exc):
        for task in (*self.clients, *self.answering):
            task.cancel()
        await asyncio.gather(*self.clients, *self.answering, return_exceptions=True)
        await self.http.aclose()


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [int(os.environ.get("CRASH_SEED", "1"))])
async def test_nothing_is_lost_or_doubled_by_twenty_kills(tmp_path, seed, monkeypatch):
    print(f"CRASH_SEED={seed}")  # noqa: T201 - shown when it fails
    chance = random.Random(seed)
    server = Server(f"sqlite:///{tmp_path / 'crash.db'}")
    await server.start()
    async with Load(server, seed) as load:
        for number in range(KILLS):
            await server.wait_begun(chance.choice(MOMENTS[number % 2]))
            for _ in range(chance.randrange(50)):
                await asyncio.sleep(0)
            await server.kill()
            await server.start()
        await load.finish()
        assert await server.stop() == 0
        assert load.problems == []
        await finish_here(server, load, monkeypatch)


async def finish_here(server, load, monkeypatch):
    """The last process is this one: what is left ends here, and is judged."""
    app = flows.app
    app.configure(override_settings(app.settings, {"store": server.store}, by="{name}"))
    monkeypatch.setattr(flows, "note", lambda job, **more: told(job, more))

    def told(job, more):
        server.begun[job.idempotency_key] += 1

    async with app:
        while opened := await open_runs(app):
            await answer_all(app)
            await asyncio.gather(*(Run(app, head.run_id).result(30) for head in opened))
        found = await check_store(app.storage, app._catalog.graph, load.journal, app.now())
        assert [str(violation) for violation in found] == []
        await judge(app, server.begun, load)


async def answer_all(app):
    """Every job that asked and was not answered, also before a crash."""
    for head in await app.runs(RunQuery(workflow="order", status=("waiting", "running")), ALL):
        async for fact in app.stream(head.run_id):
            if fact["type"] == "job.waiting" and fact["key"] == "second/ask":
                break
        for wait in (await app.run_view(head.run_id)).waits:
            if wait.key == "second/ask":
                await app.answer(wait.token, output="yes")


async def open_runs(app):
    """Runs that are open, or will be: what was emitted becomes one."""
    service = app.service
    while await app.storage.outbox(1):
        await service.engine.rest()
        await asyncio.sleep(0)
    return await app.runs(RunQuery(status=("running", "waiting", "pending")), ALL)


ALL = Page(1_000)


async def judge(app, begun, load):
    heads = await app.runs(RunQuery(), ALL)
    counts = Counter(head.workflow for head in heads)
    assert {head.status for head in heads} == {"succeeded"}
    assert counts["after"] == counts["order"] > 0
    assert counts["plain"] == len(load.journal.starts) > 0
    assert counts["order"] == sum(bool(runs) for runs in load.journal.events.values())
    recorded = set()
    for head in heads:
        done = {job.key for job in (await app.run_view(head.run_id)).jobs}
        assert done == STEPS[head.workflow]
        recorded |= {f"{head.run_id}:{key}" for key in done - WITHOUT_HANDLER}
    assert recorded == set(begun)  # each at least once, and nothing that no run asked for
