"""An example in this process: its own document and handlers, a store in memory, a clock by hand."""

from __future__ import annotations

import asyncio
import contextlib
import runpy
from pathlib import Path

import msgspec

from ostinato.app import App
from ostinato.config import Settings
from ostinato.ports import EventQuery, Page

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@contextlib.asynccontextmanager
async def played(name, stage, monkeypatch, **settings):
    """The app and the names of its script."""
    app = App(Settings(store="memory:", **settings), storage=stage.place.store(), clock=stage.clock)
    monkeypatch.setattr("ostinato.App", lambda: app)
    script = EXAMPLES / name / "app.py"
    names = runpy.run_path(str(script)) if script.exists() else {}
    app.workflow_document(EXAMPLES / name / "workflow.yaml")
    async with app:
        yield app, names


async def sent(app, type, count=1):
    """The data of these events; a run may have ended before what it emits has gone out."""
    while len(found := await app.events(EventQuery(type=type), Page())) < count:
        await asyncio.sleep(0)
    return [msgspec.json.decode(one.event.data) for one in found]


async def job(app, run_id, key):
    return next(one for one in (await app.run_view(run_id)).jobs if one.key == key)


async def status_of(app, run_id, key):
    return (await job(app, run_id, key)).status


def lines(name):
    return len((EXAMPLES / name / "workflow.yaml").read_text().splitlines())
