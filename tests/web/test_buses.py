"""``/buses``, their counters in ``/metrics``, and ``/asyncapi.json``."""

import asyncio

import pytest

from ostinato import App, Event, EventType
from ostinato.bus import memory
from ostinato.config import override_settings
from ostinato.core.cloudevents import Message
from ostinato.ports.buses import Received
from ostinato.web.asgi import application
from tests.web.conftest import client_of

SETTINGS = {
    "store": "memory:",
    "bus.in.kind": "memory",
    "bus.in.receive": ["orders", "refunds"],
    "bus.out.kind": "memory",
    "bus.out.place": "told",
    "bus.out.send": ["BILLED", "ORDER_*"],
}
BILLED = EventType("BILLED", dict[str, int], about="an order has its bill")


@pytest.fixture
async def app():
    memory.forget()
    app = App()
    app.configure(override_settings(app.settings, SETTINGS, by="{name}"))

    @app.consumer("ORDER_PLACED", bus="in")
    async def on_placed(event: Event):
        await app.producer("out").send(BILLED, {"euro": 1})

    async with app:
        yield app


@pytest.fixture
async def http(app):
    async with client_of(application(app)) as client:
        yield client


def order(number, type="ORDER_PLACED"):
    message = Message(id=f"m{number}", body=b"{}", headers={"EventType": type})
    return Received(message)


async def until_sent(http):
    async with asyncio.timeout(10):
        while not (found := (await http.get("/buses")).json())[1]["sent"]:
            await asyncio.sleep(0)
    return found


async def test_what_came_and_went_is_told(http):
    broken = Received(Message(id="bad", body=b"{oops"))
    memory.place("in", "orders").put([order(1), broken])
    first, second = await until_sent(http)
    assert (first["name"], first["kind"], first["out"]) == ("in", "memory", True)
    assert [one["place"] for one in first["receives"]] == ["orders", "refunds"]
    taken = {"accepted": 1, "duplicate": 0, "dropped": 0, "dead": 1, "trouble": ""}
    assert first["receives"][0] == {"place": "orders"} | taken
    assert (second["send"], second["sent"]) == (["BILLED", "ORDER_*"], 1)
    metrics = (await http.get("/metrics")).text
    assert 'ostinato_bus_messages_total{bus="in",outcome="accepted"} 1.0' in metrics
    assert 'ostinato_bus_messages_total{bus="in",outcome="dead"} 1.0' in metrics
    assert 'ostinato_bus_messages_total{bus="out",outcome="sent"} 1.0' in metrics
    again = (await http.get("/metrics")).text
    assert 'ostinato_bus_messages_total{bus="in",outcome="accepted"} 1.0' in again


def references(value):
    if isinstance(value, dict):
        for name, each in value.items():
            if name == "$ref":
                yield each
            else:
                yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


async def test_the_description_names_what_comes_in_and_goes_out(app, http):
    await http.get("/buses")
    memory.place("in", "orders").put([order(1)])
    await until_sent(http)
    document = (await http.get("/asyncapi.json")).json()
    assert document["asyncapi"] == "3.0.0"
    assert set(document["servers"]) == {"ostinato", "in", "out"}
    assert document["operations"]["receive-in-orders"]["channel"] == {
        "$ref": "#/channels/in-orders"
    }
    assert set(document["channels"]["in-orders"]["messages"]) == {"ORDER_PLACED"}
    assert document["channels"]["events"]["messages"] == {}
    out = document["channels"]["out-out"]
    assert (out["address"], set(out["messages"])) == ("told", {"BILLED", "ORDER_-"})
    billed = document["components"]["messages"]["BILLED"]
    assert billed["summary"] == "an order has its bill"
    assert billed["payload"] == {"$ref": "#/components/schemas/BILLED"}
    assert document["components"]["schemas"]["BILLED"]["additionalProperties"] == {
        "type": "integer"
    }
    for reference in references(document):
        place = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
