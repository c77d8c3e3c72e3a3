"""A handler can be started alone: a durable run of that one job."""

from ostinato import App


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
