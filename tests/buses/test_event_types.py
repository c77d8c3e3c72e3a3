"""A type of event and the model of its data: what does not fit is found before it does harm."""

import asyncio
import subprocess
import sys
from dataclasses import dataclass

import pytest
from pydantic import BaseModel, Field

from ostinato import App, Event, EventType, InvalidInput
from ostinato.bus import memory
from ostinato.config import override_settings
from ostinato.errors import UsageError
from ostinato.ports import EventQuery, LetterQuery, Page


class Order(BaseModel):
    number: int
    price: float = Field(default=0, alias="priceInEuro")


@dataclass
class Paid:
    number: int


PLACED = EventType("ORDER_PLACED", Order, about="somebody wants something")
PAID = EventType("ORDER_PAID", Paid)


@pytest.fixture(autouse=True)
def no_places():
    memory.forget()


def new_app():
    app = App()
    settings = {"store": "memory:", "bus.out.kind": "memory", "bus.out.place": "told"}
    app.configure(override_settings(app.settings, settings, by="{name}"))
    return app


async def until(found):
    async with asyncio.timeout(10):
        while not (value := found()):
            await asyncio.sleep(0)
        return value


async def test_a_consumer_takes_the_data_as_its_model():
    app, heard = new_app(), []

    @app.consumer(PLACED)
    async def on_placed(order: Order, event: Event):
        heard.append((order, event.id))

    @app.consumer(PAID)
    def in_thread(what: Paid):
        heard.append(what)

    async with app:
        await app.producer().send(PLACED, Order(number=1, priceInEuro=2.5), id="p1")
        await until(lambda: len(heard) == 1)
        await app.emit("ORDER_PAID", {"number": 3})
        await until(lambda: len(heard) == 2)
    assert heard == [(Order(number=1, priceInEuro=2.5), "p1"), Paid(3)]


async def test_a18_a_class_is_a_consumer_too():
    app, heard = new_app(), []

    @app.consumer("ORDER_PLACED")
    class OnPlaced:
        def __init__(self):
            self.count = 0

        async def handle(self, event: Event):
            self.count += 1
            heard.append((event.type, self.count))

    async with app:
        await app.emit("ORDER_PLACED", {})
        await until(lambda: heard)
    assert heard == [("ORDER_PLACED", 1)]
    with pytest.raises(UsageError, match="no method `handle`"):
        app.consumer("X")(type("Nothing", (), {}))


async def test_a18_many_consumers_of_one_type_fail_alone():
    app, heard = new_app(), []

    @app.consumer("ORDER_PLACED", attempts=1)
    async def fails(event: Event):
        raise ValueError("no")

    @app.consumer("ORDER_*")
    async def hears(event: Event):
        heard.append(event.id)

    async with app:
        await app.emit("ORDER_PLACED", {}, id="one")
        await until(lambda: heard)
        async with asyncio.timeout(10):
            while not (found := await app.dead_letters(LetterQuery(), Page())):
                await asyncio.sleep(0)
    assert [one.target for one in found] == ["consumer-fails"]


async def test_data_that_does_not_fit_is_a_dead_letter_and_is_not_tried_again():
    app, heard = new_app(), []

    @app.consumer(PLACED)
    async def on_placed(order: Order):
        heard.append(order)

    async with app:
        await app.emit("ORDER_PLACED", {"number": "many"})
        async with asyncio.timeout(10):
            while not (found := await app.dead_letters(LetterQuery(), Page())):
                await asyncio.sleep(0)
    [letter] = found
    assert (letter.attempts, heard) == (1, [])
    assert b"data.number" in letter.reasons


async def test_a_producer_refuses_data_that_does_not_fit():
    async with new_app() as app:
        producer = app.producer("out")
        await producer.send(PLACED, Order(number=1))
        with pytest.raises(InvalidInput, match=r"data\.number"):
            await producer.send(PLACED, {"number": "many"})
        with pytest.raises(InvalidInput):
            await producer.send_many(PAID, [Paid(1), "two"])
        [message] = await until(lambda: list(memory.place("out", "told").waiting))
        assert message.message.body == b'{"number":1,"priceInEuro":0.0}'
        assert await app.events(EventQuery(), Page()) == []


def test_a_type_has_one_model():
    app = new_app()
    app.consumer(PLACED)(lambda event: None)
    with pytest.raises(UsageError, match="two models"):
        app.consumer(EventType("ORDER_PLACED", Paid))(lambda event: None)


@pytest.mark.parametrize("given", [["A", "B"], ("A", "B"), None, 5], ids=repr)
def test_what_is_no_type_is_refused_where_it_stands(given):
    with pytest.raises(UsageError, match=r"@app\.consumer\(…\): .* is no type of an event; write"):
        new_app().consumer(given)


class Handling:
    def handle(self, event: Event): ...


@pytest.mark.parametrize(
    ("given", "hint"),
    [(Handling(), "over the class Handling, or .* `handle`"), (5, "a function is one")],
    ids=["instance", "number"],
)
def test_an_object_is_no_consumer(given, hint):
    app = new_app()
    with pytest.raises(UsageError, match=f"is no consumer; .*{hint}"):
        app.consumer("X")(given)
    app.consumer("X")(Handling().handle)


async def test_a_producer_refuses_what_no_event_has():
    async with new_app() as app:
        for bus in ("out", "memory"):
            producer = app.producer(bus)
            with pytest.raises(UsageError, match=rf"producer\('{bus}'\)\.send: None is no type"):
                await producer.send(None, 1)
            with pytest.raises(UsageError, match="no member foo, time; there are id, source"):
                await producer.send("X", 1, foo=1, time=0)
            with pytest.raises(UsageError, match="no member foo"):
                await producer.send_many("X", [1], foo=1)
            with pytest.raises(UsageError, match="no member foo"):
                await producer.send_multiple([{"type": "X"}], foo=1)
        assert await app.events(EventQuery(), Page()) == []
        assert not memory.place("out", "told").waiting


WRONG = """
from ostinato import App, EventType

PAID: EventType[int] = EventType("ORDER_PAID", int)


async def send(app: App) -> None:
    await app.producer("out").send(PAID, 1)
    await app.producer("out").send(PAID, "one")
    await app.producer("out").send_many(PAID, [1, 2])
    await app.producer("out").send_many(PAID, ["one"])
"""


@pytest.mark.slow
def test_the_type_checker_refuses_it_too(tmp_path):
    file = tmp_path / "wrong.py"
    file.write_text(WRONG)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = [line for line in done.stdout.splitlines() if "wrong.py" in line and "error" in line]
    assert [line.split(":")[1] for line in told] == ["9", "11"], done.stdout + done.stderr
