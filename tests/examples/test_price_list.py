"""The price list: half a megabyte for two hundred shops, kept once."""

import sqlite3
from contextlib import closing

import msgspec
import pytest

from tests.examples.playing import lines, played, sent
from tests.stage import Clock, File, Stage

PRICES = {f"article-{number}": number + 0.5 for number in range(20_000)}
LIST = {"id": "2027-02", "prices": PRICES}
SHOPS = [f"shop-{number}" for number in range(200)]


@pytest.fixture
async def shops(tmp_path, monkeypatch):
    stage = Stage(File(tmp_path / "o.db"))
    stage.clock = Clock()
    async with played("price_list", stage, monkeypatch) as (app, names):
        yield app, names, stage


async def publish(app, shops=SHOPS, prices=LIST):
    (run,) = (await app.emit("PRICES_PUBLISHED", {"list": prices, "shops": shops})).runs
    return await app.wait_ended(run, 30)


async def test_every_shop_gets_the_list_and_the_store_keeps_it_once(shops):
    app, names, stage = shops
    view = await publish(app)
    assert msgspec.json.decode(view.output) == {"prices": 20_000, "shops": 200}
    assert names["TILLS"].keys() == set(SHOPS)
    assert all(taken == LIST for taken in names["TILLS"].values())
    assert len(await sent(app, "PRICES_IN_SHOPS")) == 1
    with closing(sqlite3.connect(stage.place.path)) as db:
        (kept,) = db.execute("SELECT sum(length(data)) FROM value").fetchone()
        (rows,) = db.execute("SELECT sum(length(data)) FROM history").fetchone()
    assert kept < 3 * len(msgspec.json.encode(LIST))
    assert rows < 200 * 2_000


async def test_too_many_closed_shops_take_it_back_everywhere(shops):
    app, names, _ = shops
    names["CLOSED"].update(SHOPS[:30])
    view = await publish(app)
    assert (view.status, view.error.name) == ("failed", "Closed")
    assert names["TILLS"] == {}


async def test_a_wrong_price_goes_nowhere(shops):
    app, names, _ = shops
    view = await publish(app, prices={"id": "x", "prices": {"tea": 0}})
    assert (view.status, view.error.name) == ("failed", "WrongPrice")
    assert names["TILLS"] == {}


def test_the_document_is_short():
    assert lines("price_list") < 60
