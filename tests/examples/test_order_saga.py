"""The order saga: what was done for an order stands, or is taken back whole."""

import pytest

from tests.examples.playing import job, lines, played, sent, status_of
from tests.runtime.test_schedules import jump
from tests.stage import Clock, Memory, Stage, reached

HOURS = 3600


@pytest.fixture
def stage():
    made = Stage(Memory())
    made.clock = Clock()
    return made


@pytest.fixture
async def shop(stage, monkeypatch):
    async with played("order_saga", stage, monkeypatch) as shop:
        yield shop


async def place(app, order, *items):
    data = {"order": order, "customer": order.split("-")[0], "items": list(items), "amount": 120}
    (run,) = (await app.emit("ORDER_PLACED", data)).runs
    return run


async def ended(app, run):
    return await app.wait_ended(run, 5)


async def test_an_order_is_kept(shop):
    app, names = shop
    run = await place(app, "Ada-1", "chair", "lamp")
    await reached(app, run, "job.waiting", "ship/packed")
    await app.emit("PARCEL_PACKED", {"order": "Bob-1"})
    await app.emit("PARCEL_PACKED", {"order": "Ada-1"})
    assert (await ended(app, run)).status == "succeeded"
    assert (names["STOCK"]["chair"], names["STOCK"]["lamp"]) == (3, 0)
    assert (list(names["PAID"].values()), names["BOOKED"]) == ([120], {"Ada-1"})
    (told,) = await sent(app, "ORDER_ACCEPTED")
    assert told["parcel"] == "parcel-Ada-1"


async def test_what_is_sold_out_takes_the_rest_back(shop):
    app, names = shop
    run = await place(app, "Ada-1", "chair", "lamp", "sofa")
    view = await ended(app, run)
    assert (view.status, view.error.name) == ("failed", "SoldOut")
    assert (names["STOCK"]["chair"], names["STOCK"]["lamp"], names["PAID"]) == (4, 1, {})
    assert await sent(app, "ORDER_REFUSED") == [{"why": "no sofa is left"}]


async def test_a_declined_card_is_an_invoice(shop):
    app, names = shop
    run = await place(app, "Cleo-7", "chair")
    await reached(app, run, "job.waiting", "ship/packed")
    card = await job(app, run, "pay/card")
    assert (card.status, card.error.name, card.attempts) == ("succeeded", "Declined", 2)
    assert set(names["PAID"]) == {"invoice-Cleo-7"}


async def test_a_parcel_that_is_never_packed_takes_everything_back(shop, stage):
    app, names = shop
    run = await place(app, "Ada-1", "chair")
    await reached(app, run, "job.waiting", "ship/packed")
    await jump(stage, app, 7 * HOURS)
    view = await ended(app, run)
    assert (view.status, view.error.name) == ("failed", "Timeout")
    assert (names["STOCK"]["chair"], names["PAID"], names["BOOKED"]) == (4, {}, set())
    keys = ("reserve[0]/stock", "pay/card", "ship/parcel")
    assert {await status_of(app, run, key) for key in keys} == {"undone"}


async def test_a_cancelled_order_is_taken_back(shop):
    app, names = shop
    run = await place(app, "Ada-1", "chair")
    await reached(app, run, "job.waiting", "ship/packed")
    await app.cancel(run, why="the customer rang")
    assert (await ended(app, run)).status == "cancelled"
    assert (names["STOCK"]["chair"], names["PAID"], names["BOOKED"]) == (4, {}, set())


async def test_an_order_that_is_placed_twice_is_one(shop):
    app, _ = shop
    first, second = await place(app, "Ada-1", "chair"), await place(app, "Ada-1", "chair")
    assert first == second
    await app.cancel(first)
    await ended(app, first)


async def test_an_order_that_is_none_starts_nothing(shop):
    app, _ = shop
    assert (await app.emit("ORDER_PLACED", {"order": "Ada-1"})).runs == []


def test_the_document_is_short():
    assert lines("order_saga") < 60
