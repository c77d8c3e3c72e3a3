"""Fair imports: a line for each customer, three at the service, and only the newest preview."""

import pytest

from tests.examples.playing import lines, played
from tests.stage import Clock, Gate, Memory, Stage


@pytest.fixture
async def imports(monkeypatch):
    stage = Stage(Memory())
    stage.clock = Clock()
    async with played("fair_imports", stage, monkeypatch) as (app, names):
        yield app, names


async def send(app, customer, *files):
    asked = [{"customer": customer, "file": f"{customer}-{file}"} for file in files]
    return [(await app.emit("FILE_SENT", one)).runs[0] for one in asked]


async def test_files_of_a_customer_go_in_order_and_three_at_the_service(imports):
    app, names = imports
    customers = [f"c{number}" for number in range(8)]
    runs = [run for customer in customers for run in await send(app, customer, 1, 2, 3)]
    for run in runs:
        assert (await app.wait_ended(run, 30)).status == "succeeded"
    for customer in customers:
        mine = [file for file in names["READ"] if file.startswith(f"{customer}-")]
        assert mine == [f"{customer}-{file}" for file in (1, 2, 3)]
    assert names["MOST"]["service"] == 3


async def test_only_the_newest_preview_counts(imports, monkeypatch):
    app, _ = imports
    gate = Gate()

    async def read(file):
        return await gate()

    monkeypatch.delitem(app.handlers._handlers, "file.read")
    app.handlers.add("file.read", read)
    wanted = [{"customer": "acme", "file": f"a-{number}"} for number in (1, 2)]
    (first,) = (await app.emit("PREVIEW_WANTED", wanted[0])).runs
    await gate.begun.wait()
    (second,) = (await app.emit("PREVIEW_WANTED", wanted[1])).runs
    assert (await app.wait_ended(first, 30)).status == "cancelled"
    gate.open.set()
    assert (await app.wait_ended(second, 30)).status == "succeeded"


def test_the_documents_are_short():
    assert lines("fair_imports") < 60
