"""A control plane on a store in memory, with a clock that is turned by hand."""

from contextlib import asynccontextmanager

import pytest

from ostinato.config import ArcSettings
from tests.arc.planes import MASTER, Plane
from tests.arc.receiving import Received
from tests.stage import Clock, Memory, Stage


@pytest.fixture
def stage():
    made = Stage(Memory())
    made.clock = Clock()
    return made


@pytest.fixture
def begun(stage):
    """Open a control plane; again, after the first one has ended, on the same store."""

    @asynccontextmanager
    async def begun(more=None, **arc):
        app = stage.app(arc=ArcSettings(secret=MASTER, **arc))
        plane = Plane(stage, app, **(more or {}))
        async with app:
            yield plane

    return begun


@pytest.fixture
async def plane(begun):
    async with begun() as plane:
        yield plane


@pytest.fixture
def received():
    """A server that keeps what it is sent, and answers as it is told, else 204."""
    server = Received()
    yield server
    server.close()
