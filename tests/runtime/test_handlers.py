"""What a handler takes: arguments by name, converted; others injected by their type."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pydantic
import pytest
from msgspec import Raw

from ostinato import App, Event
from ostinato.app import Run, RunEnded
from ostinato.errors import UsageError
from ostinato.runtime.handlers import Handlers, Job, WrongArguments
from tests.stage import facts_of, one_job, reached


class Tenant(pydantic.BaseModel):
    id: int


def bound(function: Callable[..., Any], given: Any, job: Any = None) -> Any:
    handler = Handlers().add("h", function)
    return handler.bind(job, Raw(msgspec.json.encode(given)))


def test_arguments_are_the_input_by_name():
    def h(a, b=2):
        return a, b

    assert bound(h, {"a": 1})() == (1, 2)
    assert bound(h, {"a": 1, "b": 3})() == (1, 3)


def test_annotations_convert():
    def h(tenant: Tenant, count: int, names: list[str]):
        return tenant, count, names

    call = bound(h, {"tenant": {"id": "7"}, "count": 3, "names": ["a"]})
    assert call() == (Tenant(id=7), 3, ["a"])


def test_names_of_any_kind_are_taken_by_double_stars():
    def h(**everything):
        return everything

    assert bound(h, {"a": 1, "for": 2})() == {"a": 1, "for": 2}


WRONG = {
    "missing": ({}, "h needs 'a'"),
    "unknown": ({"a": 1, "c": 2}, "h has no argument 'c'; it takes 'a', 'b'"),
    "wrong type": ({"a": "x"}, "h: a: Input should be a valid integer"),
    "no map": ([1], "h takes named arguments"),
}


@pytest.mark.parametrize(("given", "message"), list(WRONG.values()), ids=list(WRONG))
def test_what_does_not_fit_says_which_argument_and_why(given, message):
    def h(a: int, b: str = ""):
        return a

    with pytest.raises(WrongArguments) as wrong:
        bound(h, given)
    assert message in str(wrong.value)


def test_an_annotation_that_cannot_be_evaluated_leaves_the_others_in_force():
    class Local(pydantic.BaseModel):
        pass

    def h(job: Job, local: Local, count: int):
        return job

    job = object()
    call = bound(h, {"local": {"any": 1}, "count": "3"}, job)
    assert call.keywords == {"job": job, "local": {"any": 1}, "count": 3}


def test_star_arguments_are_refused_when_the_handler_is_registered():
    def h(*args):
        pass

    with pytest.raises(UsageError, match=r"\*args"):
        Handlers().add("h", h)


def test_two_handlers_cannot_have_one_name():
    handlers = Handlers()
    handlers.add("h", lambda: 1)
    with pytest.raises(UsageError, match="two handlers called 'h'"):
        handlers.add("h", lambda: 2)


async def test_wrong_arguments_are_never_retried(stage):
    called = []

    async def h(a: int):
        called.append(a)

    document = one_job({"run": "h", "with": {"a": "no number"}, "retry": 5})
    async with stage.app(document, {"h": h}) as app:
        run = await app.start("w")
        with pytest.raises(RunEnded) as ended:
            await run.result(5)
        assert ended.value.error == "WrongArguments"
        assert not await facts_of(app, run.id, "job.retried")
    assert not called


async def test_job_event_app_and_run_are_injected(stage):
    seen: dict[str, Any] = {}

    async def h(job: Job, event: Event, app: App, run: Run, n: int):
        seen.update(job=job, event=event, app=app, run=run, n=n)
        return {"key": job.idempotency_key, "attempt": job.attempt, "input": job.input}

    document = one_job(
        {"run": "h", "with": {"n": "${ input.n }"}}, on=[{"event": "GO", "uid": "event.data.n"}]
    )
    async with stage.app(document, {"h": h}) as app:
        accepted = await app.emit("GO", {"n": 3}, id="e1", subject="s")
        run = Run(app, accepted.runs[0])
        output = await run.result(5)
        assert output["j"] == {"key": f"{run.id}:p/j", "attempt": 1, "input": {"n": 3}}
        assert seen["app"] is app
        assert (seen["event"].id, seen["event"].type, seen["event"].subject) == ("e1", "GO", "s")
        assert msgspec.json.decode(seen["event"].data) == {"n": 3}
        assert (seen["run"].id, seen["n"], seen["job"].uid) == (run.id, 3, "3")


async def test_the_idempotency_key_stays_over_all_attempts(stage):
    keys = []

    async def h(job: Job):
        keys.append((job.attempt, job.idempotency_key, job.token))
        if job.attempt < 3:
            raise ValueError("again")

    async with stage.app(one_job({"run": "h", "retry": {"delay": "1ms"}}), {"h": h}) as app:
        await (await app.start("w")).result(5)
    assert [attempt for attempt, _, _ in keys] == [1, 2, 3]
    assert len({key for _, key, _ in keys}) == len({token for _, _, token in keys}) == 1


class Patient:
    """An object that is called as an async function is."""

    def __init__(self):
        self.begun = asyncio.Event()
        self.cancelled = False

    async def __call__(self):
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


async def test_an_object_with_an_async_call_is_cancelled_like_any_async_handler(stage):
    patient = Patient()
    async with stage.app(one_job({"run": "patient"}), {"patient": patient}) as app:
        run = await app.start("w")
        await patient.begun.wait()
        await app.cancel(run.id)
        await reached(app, run.id, "job.cancelled")
        assert patient.cancelled
