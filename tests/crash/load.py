"""A served application under load, and what must be true of its store in the end.

Clients send until they are answered, and note what they were told. Handlers note what they begin.
What is stored in the end must keep every promise: the history checker and the notes judge it.
"""

import asyncio
import importlib
import json
import os
import random
import signal
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import httpx2

from ostinato.app import Run
from ostinato.config import override_settings
from ostinato.ports import Page, RunQuery
from ostinato.testing.history_checker import Journal, check_store
from tests.crash import flows

CLIENTS = 8

LOGS = os.environ.get("CRASH_LOGS", "")
"""A folder in which the servers' logs are kept."""

HERE = Path(__file__).parents[2]
STEPS = {
    "order": {"first/a", "first/b", "first/c", "spread[0]/part", "spread[1]/part", "spread[2]/part",
              "spread[3]/part", "second/shaky", "second/nap", "second/paid", "second/ask",
              "last/tell"},
    "after": {"p/file"},
    "plain": {"p/x", "p/y"},
}  # fmt: skip
WITHOUT_HANDLER = {"second/nap", "second/paid", "last/tell"}


class Notes:
    """What handlers say: ``begun`` counts their lines, whatever process they are of."""

    def __init__(self):
        self.lines = asyncio.Condition()
        self.begun: Counter[str] = Counter()
        self.tokens: asyncio.Queue[str] = asyncio.Queue()

    async def hear(self, said):
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


class Server:
    """A process that is killed. ``store`` is a URL."""

    command = ("serve", "tests.crash.flows:app", "--port", "0")
    tells = "address"

    def __init__(self, store, notes, environment=None, **settings):
        self.store = store
        self.notes = notes
        self.settings = {f"OSTINATO_{name.upper()}": value for name, value in settings.items()}
        self.settings |= environment or {}
        self.up = asyncio.Event()
        self.address = ""
        self.log = asyncio.subprocess.DEVNULL
        if LOGS:  # who looks for a cause wants to see it
            self.log = (Path(LOGS) / f"server-{id(self):x}.log").open("ab")

    async def start(self):
        self.up.clear()
        paths = {"PYTHONPATH": f"{HERE / 'src'}:{HERE}"}
        environment = os.environ | paths | self.settings
        command = [sys.executable, "-m", "ostinato", *self.command]
        self.process = await asyncio.create_subprocess_exec(
            *command, "--store", self.store, "--json",
            cwd=HERE, env=environment, stdout=asyncio.subprocess.PIPE,
            stderr=self.log, limit=1 << 20,
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
        if self.tells in said:
            self.address = said[self.tells]
            self.up.set()
            return
        await self.notes.hear(said)

    async def kill(self):
        self.up.clear()
        self.process.kill()
        await self.process.wait()
        await self.reading
        self.up.clear()

    async def stop(self):
        self.up.clear()
        self.process.send_signal(signal.SIGTERM)
        await self.reading
        return await self.process.wait()

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, *exc):
        if self.process.returncode is None:
            await self.kill()
        if LOGS:
            self.log.close()


class Worker(Server):
    """It does the jobs of ``far``, and is begun again until it finds a server."""

    command = ("worker", "tests.crash.flows:app", "--topics", "far", "--lease", "1s")
    tells = "server"

    async def start(self):
        await super().start()
        while not self.address:
            await super().start()

    async def kill(self):
        await super().kill()
        self.address = ""


async def kill_again(server, chance, moments):
    """SIGKILL once as many more attempts have begun as one of ``moments`` says, and a new start."""
    await server.notes.wait_begun(chance.choice(moments))
    for _ in range(chance.randrange(50)):
        await asyncio.sleep(0)
    await server.kill()
    await server.start()


class Load:
    """Clients that repeat each request until it is answered. Each one may go to another server."""

    def __init__(self, servers, notes, seed, clients=CLIENTS):
        self.servers = servers
        self.notes = notes
        self.chance = random.Random(seed)
        self.journal = Journal()
        self.enough = asyncio.Event()
        self.count = clients
        self.number = 0
        self.problems = []

    async def send(self, path, body, **headers):
        while True:
            server = await self._one_up()
            with suppress(httpx2.TransportError):
                answer = await self.http.post(
                    server.address + path, json=body, headers=headers, timeout=10
                )
                if answer.status_code not in (429, 503):
                    return answer
            await asyncio.sleep(0)

    async def _one_up(self):
        """Any of those that are up; where all are down, one must come first."""
        while not (up := [server for server in self.servers if server.up.is_set()]):
            waiting = [asyncio.create_task(server.up.wait()) for server in self.servers]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
        return self.chance.choice(up)

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
            token = await self.notes.tokens.get()
            answer = await self.send(f"/callbacks/{token}", {"output": "yes"})
            if answer.status_code not in (204, 409):  # 409: it was answered before a crash
                self.problems.append(answer.text)
            self.notes.tokens.task_done()

    async def __aenter__(self):
        self.http = httpx2.AsyncClient(trust_env=False)
        self.clients = [asyncio.create_task(self.client()) for _ in range(self.count)]
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


async def finish_here(store, load):
    """The last process is this one: what is left ends here, and is judged."""
    mine = importlib.reload(flows)
    app = mine.app
    app.configure(override_settings(app.settings, {"store": store}, by="{name}"))

    def told(job, **more):
        load.notes.begun[job.idempotency_key] += 1

    mine.note = told

    async with app:
        while opened := await open_runs(app):
            await answer_all(app)
            await asyncio.gather(*(end_of(app, head.run_id) for head in opened))
        found = await check(app, load.journal)
        assert [str(violation) for violation in found] == []
        await judge(app, load.notes.begun, load)


async def check(app, journal):
    """The store; of several each, and then what was acknowledged by whichever."""
    parts = parts_of(app)
    if parts == [app]:
        return await check_store(app.storage, app._catalog.graph, journal, app.now())
    found, started = [], Counter()
    for part in parts:
        found += await check_store(part.storage, part._catalog.graph, None, app.now())
        for head in await all_runs(part, RunQuery()):
            started[head.workflow, head.event_source, head.event_id] += head.event_id is not None
    found += [f"{event} started {count} runs" for event, count in started.items() if count > 1]
    for run_id in journal.starts.union(*journal.events.values()):
        await app.find_run(run_id)
    for (source, event_id), runs in journal.events.items():
        told = json.loads((await app.event(event_id, source)).answer)["runs"]
        if tuple(told) != runs:
            found.append(f"{event_id} was answered {runs}, and is {told}")
    return found


def parts_of(app):
    """The app of each store."""
    return getattr(getattr(app.runs, "__self__", app), "parts", [app])


async def end_of(app, run_id):
    try:
        await Run(app, run_id).result(30)
    except TimeoutError:
        waits = (await app.run_view(run_id)).waits
        facts = await app.history(run_id)
        raise AssertionError(f"{run_id} does not end: {waits}\n{facts}") from None


async def answer_all(app):
    """Every job that asked and was not answered, also before a crash."""
    for head in await all_runs(app, RunQuery(workflow="order", status=("waiting", "running"))):
        async for fact in app.stream(head.run_id):
            if fact["type"] == "job.waiting" and fact["key"] == "second/ask":
                break
        for wait in (await app.run_view(head.run_id)).waits:
            if wait.key == "second/ask":
                await app.answer(wait.token, output="yes")


async def open_runs(app):
    """Runs that are open, or will be: what was emitted becomes one, and so does a letter."""
    while any([await is_busy(part) for part in parts_of(app)]):
        await asyncio.sleep(0)
    return await all_runs(app, RunQuery(status=("running", "waiting", "pending")))


async def is_busy(app):
    await app.service.engine.rest()
    return await app.storage.outbox(1) or await app.storage.mail()


async def all_runs(app, query):
    found, page = [], await app.runs(query, Page(1_000))
    while page:
        found += page
        page = await app.runs(query, Page(1_000, page[-1].run_id))
    return found


async def judge(app, begun, load):
    heads = await all_runs(app, RunQuery())
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
