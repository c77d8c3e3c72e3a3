"""A handler can be started alone: a durable run of that one job."""

import asyncio
import functools

import pytest
from msgspec import Raw

from ostinato import App, Event, Job
from ostinato.app import Run
from ostinato.errors import UsageError


async def test_a_handler_is_a_run_of_its_own():
    app = App(store="memory:")

    @app.handler("greetings.send")
    async def greet(name: str, greeting: str = "Hello") -> str:
        return f"{greeting}, {name}!"

    assert await greet("Ada") == "Hello, Ada!"
    async with app:
        at_once = await greet.start(name="Ada")
        later = await greet.start(name="Bob", greeting="Bye", delay="10ms")
        assert await at_once.result(timeout=10) == "Hello, Ada!"
        assert await later.result(timeout=10) == "Bye, Bob!"
        delayed = {job.job: job.status for job in (await later.view()).jobs}
        assert delayed == {"delay": "succeeded", "run": "succeeded"}
        assert {job.job: job.status for job in (await at_once.view()).jobs}["delay"] == "skipped"


async def test_a_uid_makes_one_open_run_of_it():
    app = App(store="memory:")

    @app.handler("wait.long")
    async def never() -> None:
        raise AssertionError("it is not due yet")

    async with app:
        first = await never.start(uid="one", delay="1h")
        second = await never.start(uid="one", delay="1h")
        assert (second.id, second.duplicate) == (first.id, True)


class Taker:
    """An object that is called as a function is; its members are called as a handler's are."""

    def __init__(self):
        self.name, self.function = "mine", "no function"
        self.heard = []


class Async(Taker):
    async def __call__(self, event: Event):
        self.heard.append(event.type)
        return {"by": "async"}


class InThread(Taker):
    def __call__(self, event: Event):
        self.heard.append(event.type)
        return {"by": "thread"}


class Unannotated(Taker):
    async def __call__(self, event):
        self.heard.append(event.type)


async def partly(heard, event):
    heard.append(event.type)


@pytest.mark.parametrize("kind", [Async, InThread, Unannotated])
async def test_an_object_can_be_a_consumer(kind):
    app, taker, known = App(store="memory:"), kind(), []
    app.consumer("GO", publish="DONE")(taker)
    app.consumer("DONE")(functools.partial(partly, known))
    async with app:
        (accepted,) = await app.accept([Event("1", "test", "GO", 0, None, Raw(b"{}"))])
        await Run(app, accepted.runs[0]).result(timeout=10)
        head = await app.find_run(accepted.runs[0])
        assert (head.workflow, taker.heard) == (f"consumer-{kind.__name__}", ["GO"])
        while kind is not Unannotated and known != ["DONE"]:
            await asyncio.sleep(0)


@pytest.mark.parametrize("decorator", ["handler", "consumer"])
def test_a_decorator_without_its_brackets_is_refused(decorator):
    app = App()

    def greet():
        pass

    with pytest.raises(UsageError, match=rf"write @app.{decorator}\(.*over greet: it needs its br"):
        getattr(app, decorator)(greet)


async def test_a_handler_can_be_a_consumer_too():
    app, heard = App(store="memory:"), []

    @app.consumer("GO")
    @app.handler("listen")
    async def listen(event):
        heard.append(event.type)

    async with app:
        (accepted,) = await app.accept([Event("1", "test", "GO", 0, None, Raw(b"{}"))])
        await Run(app, accepted.runs[0]).result(timeout=10)
        assert heard == ["GO"]


class Doubling(Taker):
    async def __call__(self, n: int, job: Job) -> int:
        return 2 * n * job.attempt


async def test_an_object_can_be_a_handler_and_is_given_its_job():
    app, function = App(store="memory:"), Doubling()
    named, unnamed = app.handler("twice")(function), app.handler()(Doubling())
    assert (named.name, named.function, unnamed.name) == ("twice", function, "Doubling")
    async with app:
        assert await (await named.start(n="4")).result(timeout=10) == 8
