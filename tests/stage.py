"""A stage for tests of the runtime: stores that outlive a crash, a clock that is turned by hand."""

import asyncio
import os
import select
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from typing import Any

from ostinato.app import App
from ostinato.config import Settings
from ostinato.errors import StoreError
from ostinato.storage.memory import Disk, MemoryStorage
from ostinato.storage.sqlite import SqliteStorage
from ostinato.storage.sqlite.transaction import finish

NOON = 1_800_000_000_000


class Clock:
    """Stands still until it is told to jump."""

    def __init__(self, time=NOON):
        self.time = time

    def now(self):
        return self.time


class Memory:
    kind = "memory"

    def __init__(self):
        self.disk = Disk()

    def store(self):
        return MemoryStorage(self.disk)

    def break_next_commit(self, storage, outcome):
        storage.next_commit = outcome


class File:
    kind = "sqlite"

    def __init__(self, path):
        self.path = path

    def store(self):
        return SqliteStorage(self.path)

    def break_next_commit(self, storage, outcome):
        import sqlite3

        def fail(db):
            storage.finish = finish
            if outcome == "kept":
                finish(db)
            raise sqlite3.OperationalError("disk I/O error")

        storage.finish = fail


class Stage:
    """Apps over one place, one after the other. ``clock`` is real unless a test brings its own."""

    clock: Any = None

    def __init__(self, place):
        self.place = place

    def app(self, document=None, handlers=None, *, store=None, limits=None, **settings):
        """An app that is not open yet, with a document and handlers by name."""
        more = {"drain": timedelta(seconds=2)} | settings
        if limits is not None:
            more["limits"] = limits
        app = App(Settings(**more), storage=store or self.place.store(), clock=self.clock)
        for name, function in (handlers or {}).items():
            app.handler(name)(function)
        if document is not None:
            app.workflow_document(document)
        return app

    def jump(self, app, seconds):
        self.clock.time += round(seconds * 1000)
        app.service.engine.wake.set()


async def crash(app):
    """The process is gone: nothing more is stored, nobody is told."""
    service, app._service = app.service, None
    service._task.cancel()
    await asyncio.gather(service._task, return_exceptions=True)
    await service.executor.close()
    await service.outbox.close()
    await service.janitor.close()
    service.timers.close()
    await app.storage.close()


@asynccontextmanager
async def until_crash(app):
    """Open for the body, then crashed."""
    await app.__aenter__()
    try:
        yield app
    finally:
        await crash(app)


async def reached(app, run_id, type, key=None, count=1):
    """Wait until a run has ``count`` facts of this type (for this key); the last of them."""
    async with aclosing(app.stream(run_id)) as facts:
        async for fact in facts:
            if fact["type"] == type and key in (None, fact.get("key")):
                count -= 1
                if not count:
                    return fact
    raise AssertionError(f"{run_id} ended without {type} {key or ''}")


async def until(condition):
    """Let the loop turn until this holds."""
    for _ in range(1_000_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to hold")


async def facts_of(app, run_id, *types):
    return [fact for fact in await app.history(run_id) if not types or fact["type"] in types]


async def types_of(app, run_id):
    return [fact["type"] for fact in await app.history(run_id)]


def fail_commits(storage, times=1, error=StoreError):
    """The next ``times`` commits keep nothing and say so."""
    commit, left = storage.commit, [times]

    async def failing(batch):
        if left[0]:
            left[0] -= 1
            raise error("disk I/O error")
        await commit(batch)

    storage.commit = failing


class Gate:
    """A handler that says it has begun, and goes on when it is let."""

    def __init__(self):
        self.begun = asyncio.Event()
        self.open = asyncio.Event()
        self.calls = 0

    async def __call__(self):
        self.calls += 1
        self.begun.set()
        await self.open.wait()
        return self.calls


def one_job(job, name="w", **more):
    return {"workflow": name, "phases": [{"phase": "p", "jobs": [{"job": "j"} | job]}]} | more


class Watch:
    """Processes that are known before they end: a number may be somebody else's after that."""

    def __init__(self, pids):
        self._all = [os.pidfd_open(pid) for pid in pids]

    def ended(self, seconds=20):
        poll = select.poll()
        for one in self._all:
            poll.register(one, select.POLLIN)
        left = set(self._all)
        while left and (found := poll.poll(seconds * 1000)):
            for one, _ in found:
                poll.unregister(one)
                left.discard(one)
        for one in self._all:
            os.close(one)
        return not left
