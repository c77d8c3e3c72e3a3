"""The door in front of the real app, on the store in memory."""

from contextlib import aclosing, asynccontextmanager

import httpx2
import pytest

from ostinato.app import App
from ostinato.config import Settings
from ostinato.ports import EventQuery, Page, RunQuery
from ostinato.web.asgi import application

LOCAL = "http://127.0.0.1"

DOCUMENTS = [
    b"""
workflow: hello
on: [{event: ORDER_PLACED}]
phases: [{phase: one, jobs: [{job: a, run: noop}]}]
""",
    b"""
workflow: slow
on: [{event: LONG}]
phases: [{phase: one, jobs: [{job: a, run: noop, callback: true}]}]
""",
    b"""
workflow: broken
on: [{event: BROKEN}]
phases: [{phase: one, jobs: [{job: a, run: fail, with: {message: the boiler exploded}}]}]
""",
    b"""
workflow: strict
on: [{event: UNFIT}]
input_schema: {type: object, required: [tenant], properties: {tenant: {type: object}}}
phases: [{phase: one, jobs: [{job: a, run: noop}]}]
""",
]


@asynccontextmanager
async def running(**settings):
    async with App(Settings(store="memory:", **settings)) as app:
        await app.deploy_texts(DOCUMENTS)
        yield app


@pytest.fixture
async def app():
    async with running() as app:
        yield app


@pytest.fixture
def door(app):
    return application(app)


@asynccontextmanager
async def client_of(door, *, client="127.0.0.1", base=LOCAL):
    transport = httpx2.ASGITransport(app=door, client=(client, 4711))
    async with httpx2.AsyncClient(transport=transport, base_url=base) as http:
        yield http


@pytest.fixture
async def http(door):
    async with client_of(door) as http:
        yield http


async def events_of(app):
    return await app.events(EventQuery(), Page())


async def runs_of(app):
    return await app.runs(RunQuery(), Page())


async def token_of(app, run_id):
    """The run rests before its callback is waited for."""
    async with aclosing(app.stream(run_id)) as facts:
        async for fact in facts:
            if fact["type"] == "job.waiting":
                break
    for wait in (await app.run_view(run_id)).waits:
        return wait.token
