"""Customer sync: changes of one customer in order, approvals heard, repetitions known."""

import pytest

from tests.examples.playing import lines, played, sent
from tests.stage import Clock, Memory, Stage, reached


@pytest.fixture
async def played_app(monkeypatch):
    stage = Stage(Memory())
    stage.clock = Clock()
    async with played("customer_sync", stage, monkeypatch) as (app, names):
        yield app, names["KNOWN"]


async def changed(app, change, customer="acme", **more):
    data = {"customer": customer, "change": change} | more
    return (await app.emit("CUSTOMER_CHANGED", data)).runs[0]


async def test_changes_go_one_after_the_other_and_an_approval_is_heard(played_app):
    app, known = played_app
    big = await changed(app, "c-1", limit=20_000)
    small = await changed(app, "c-2")
    other = await changed(app, "c-9", customer="apex")
    await reached(app, other, "run.succeeded")
    assert (await app.run_view(small)).waiting_for == "uid"
    assert (await app.emit("CUSTOMER_APPROVED", {"customer": "acme"})).runs == [big]
    await reached(app, small, "run.succeeded")
    assert known == {"apex": ["c-9"], "acme": ["c-1", "c-2"]}
    assert len(await sent(app, "CUSTOMER_SYNCED", 3)) == 3


async def test_a_change_that_is_sent_again_is_answered_with_its_run(played_app):
    app, known = played_app
    first = await changed(app, "c-1")
    await reached(app, first, "run.succeeded")
    assert await changed(app, "c-1") == first
    again = await app.start("customer-sync", customer="acme", change="c-1")
    assert (again.id, again.duplicate) == (first, True)
    assert known == {"acme": ["c-1"]}


async def test_an_approval_without_an_open_run_is_a_dead_letter(played_app):
    app, _ = played_app
    await reached(app, await changed(app, "c-1"), "run.succeeded")
    accepted = await app.emit("CUSTOMER_APPROVED", {"customer": "acme"})
    assert (accepted.runs, len(accepted.dead_letters)) == ([], 1)


def test_the_document_is_short():
    assert lines("customer_sync") < 60
