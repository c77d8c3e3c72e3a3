from contextlib import asynccontextmanager

import httpx2
import pytest

from ostinato.web.asgi import application
from tests.web.fake_app import FakeApp

LOCAL = "http://127.0.0.1"
HELLO = b"workflow: hello\nphases: []\n"


@pytest.fixture
async def app():
    async with FakeApp() as app:
        names = (b"hello", b"slow", b"broken", b"strict")
        await app.deploy([HELLO.replace(b"hello", name) for name in names])
        yield app


@pytest.fixture
def door(app):
    return application(app)


@asynccontextmanager
async def client_of(door, *, client="127.0.0.1", base=LOCAL, **options):
    transport = httpx2.ASGITransport(app=door, client=(client, 4711), **options)
    async with httpx2.AsyncClient(transport=transport, base_url=base) as http:
        yield http


@pytest.fixture
async def http(door):
    async with client_of(door) as http:
        yield http
