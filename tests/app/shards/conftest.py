import asyncio
from datetime import timedelta

import pytest

from ostinato import App
from ostinato.app.checking import judge_history
from ostinato.config import Settings
from ostinato.core.shards import homes, uid_key
from ostinato.ports import Page, RunQuery

WORK = """
workflow: work
on:
  - {event: GO}
  - {event: NAMED, uid: event.data.id}
input_schema: {type: object}
phases:
  - phase: p
    mode: sequential
    jobs:
      - job: waits
        when: run.uid != null
        wait: {event: DONE, match: {data: {id: ["${ run.uid }"]}}}
      - {job: does, run: echo, with: {uid: "${ run.uid }"}}
"""


class Shards:
    """Stores that outlive the apps on them."""

    def __init__(self, make):
        self._make, self.urls = make, []

    def stores(self, count):
        while len(self.urls) < count:
            self.urls.append(self._make(len(self.urls)))
        return tuple(self.urls[:count])

    def app(self, count=2, document=WORK, *, stores=None, **settings):
        stores = stores or self.stores(count)
        store = stores[0] if len(stores) == 1 else stores
        app = App(Settings(store=store, **{"drain": timedelta(seconds=2)} | settings))
        if document is not None:
            app.workflow_document(document)
        return app


@pytest.fixture(params=["sqlite", "postgres"])
def shards(request, tmp_path):
    if request.param == "sqlite":
        return Shards(lambda number: f"sqlite:///{tmp_path}/{number}.db")
    new_database = request.getfixturevalue("new_database")
    return Shards(lambda number: new_database())


@pytest.fixture
def files(tmp_path):
    return Shards(lambda number: f"sqlite:///{tmp_path}/{number}.db")


def uids_at(counts, *wanted):
    """A uid for each tuple of homes."""
    found = {}
    for number in range(10_000):
        found.setdefault(homes(uid_key(f"u{number}"), counts), f"u{number}")
    return [found[one] for one in wanted]


async def heads_in(app, number):
    part = parts_of(app)[number]
    return await part.storage.runs(RunQuery(), Page(500))


def parts_of(app):
    return app.runs.__self__.parts


async def until(check):
    """A fact that comes by itself."""
    while not (found := await check()):
        await asyncio.sleep(0.01)
    return found


async def judged(app):
    """What is wrong with any history in any store."""
    found = []
    for part in parts_of(app):
        for head in await part.storage.runs(RunQuery(), Page(1_000)):
            records = await part.storage.history(head.run_id)
            found += judge_history(part._registry.graph, head.run_id, records)[1]
    return found
