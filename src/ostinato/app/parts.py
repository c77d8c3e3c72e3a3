"""What the decorators make: handlers that can be called, and consumers as workflows."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ostinato.app.event_types import EventType
from ostinato.core.cloudevents import Event, event_value
from ostinato.core.durations import parse_duration
from ostinato.core.model import Retry
from ostinato.definitions.compile import HandlerDefaults
from ostinato.errors import InvalidInput, UsageError
from ostinato.runtime.handlers import WrongArguments, hints_of, is_async, routine_of

if TYPE_CHECKING:
    from ostinato.app import App
    from ostinato.app.run import Run


class HandlerFunction:
    """A handler: call it as the function it is, or ``start`` a run of that one job."""

    def __init__(self, app: App, name: str, function: Callable[..., Any]) -> None:
        self._app = app
        self.name = name
        self.function = function
        functools.update_wrapper(self, function, updated=())  # an object's members are its own

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    async def start(self, *, delay: str | None = None, uid: str | None = None, **args: Any) -> Run:
        """A durable run of this job alone, after ``delay`` (a duration)."""
        name = await self._app.deploy_part(single_job(self.name))
        return await self._app.start_run(name, {"arguments": args, "delay": delay}, uid=uid)


def plain_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)[:50]


def single_job(handler: str) -> dict[str, Any]:
    return {
        "workflow": f"job-{plain_name(handler)}",
        "description": f"one job: {handler}",
        "phases": [
            {
                "phase": "run",
                "mode": "sequential",
                "jobs": [
                    {
                        "job": "delay",
                        "when": "input.delay != null",
                        "wait": {"until": "${ input.delay }"},
                    },
                    {"job": "run", "run": handler, "with": "${ input.arguments }"},
                ],
            }
        ],
        "output": "jobs.run.output",
    }


def consumer_workflow(
    name: str, type: str, bus: str | None = None, to: str | None = None
) -> dict[str, Any]:
    """A consumer is a workflow of two jobs, so it is durable, retried and seen like any other."""
    made = {"type": "${ made.type }", "data": "${ made.data }"}
    return {
        "workflow": f"consumer-{plain_name(name)}",
        "description": f"consumer of {type}",
        "on": [{"event": type} if bus is None else {"event": type, "bus": bus}],
        "phases": [
            {"phase": "consume", "jobs": [{"job": "handle", "run": f"consumer.{name}"}]},
            {
                "phase": "publish",
                "jobs": [
                    {
                        "job": "emit",
                        "each": {"in": "default(jobs.handle.output, [])", "as": "made"},
                        "emit": made if to is None else {**made, "bus": to},
                    }
                ],
            },
        ],
    }


def consuming(
    function: Callable[..., Any], publish: str | None, of: EventType[Any] | None = None
) -> Callable[..., Any]:
    """The consumer as a handler: what it returns becomes a list of events to publish.

    An argument without annotation is the event; one of the model of its type (``of``) is the data.
    """
    if isinstance(function, HandlerFunction):
        function = function.function
    payload = () if of is None else _payload(function, of)
    handle = _wrapped(function, publish, of, payload)
    parameters = inspect.signature(function).parameters
    written = getattr(routine_of(function), "__annotations__", {})
    taken = dict.fromkeys(parameters, Event) | written | dict.fromkeys(payload, Event)
    handle.__annotations__ = taken
    return handle


def consumer_function(consumer: Any) -> Callable[..., Any]:
    """Of a class, the method ``handle`` of one instance. Raises ``UsageError``."""
    if not inspect.isclass(consumer):
        _refuse_uncalled(consumer)
        function: Callable[..., Any] = consumer
        return function
    method = getattr(consumer(), "handle", None)
    if not callable(method):
        raise UsageError(f"consumer {consumer.__name__} is a class, and has no method `handle`")
    handle: Callable[..., Any] = method
    return handle


def _refuse_uncalled(consumer: Any) -> None:
    """What cannot be called, as an instance of a class that would be a consumer."""
    if callable(consumer):
        return
    name = type(consumer).__name__
    hint = "a function is one, or a class with a method `handle`"
    if callable(getattr(consumer, "handle", None)):
        hint = f"write @app.consumer(…) over the class {name}, or hand over its method `handle`"
    raise UsageError(f"@app.consumer(…): an object of {name} is no consumer; {hint}")


def _payload(function: Callable[..., Any], of: EventType[Any]) -> tuple[str, ...]:
    """The arguments that are the data."""
    hints = hints_of(function)
    return tuple(name for name, kind in hints.items() if name != "return" and kind == of.model)


def refuse_without_brackets(decorator: str, given: object) -> None:
    """Or the function would be taken for the name, and never be called. Raises ``UsageError``."""
    if callable(given):
        raise UsageError(f"write @app.{decorator} over {name_of(given)}: it needs its brackets")


def name_of(function: Callable[..., Any]) -> str:
    """Its own; of an object that can be called, its class's."""
    routine = function.func if isinstance(function, functools.partial) else function
    return str(getattr(routine, "__name__", type(routine).__name__))


def _wrapped(
    function: Callable[..., Any],
    publish: str | None,
    of: EventType[Any] | None,
    payload: Sequence[str],
) -> Callable[..., Any]:
    def arguments(given: dict[str, Any]) -> dict[str, Any]:
        if of is None:
            return given
        data = {name: _data(given[name], of) for name in payload if name in given}
        return given | data

    if is_async(function):

        @functools.wraps(function, updated=())
        async def handle(**given: Any) -> list[dict[str, Any]]:
            return outgoing(await function(**arguments(given)), publish)

        return handle

    @functools.wraps(function, updated=())
    def handle_in_thread(**given: Any) -> list[dict[str, Any]]:
        return outgoing(function(**arguments(given)), publish)

    return handle_in_thread


def _data(event: Event, of: EventType[Any]) -> Any:
    try:
        return of.decode(msgspec.json.decode(event.data))
    except InvalidInput as error:
        raise WrongArguments(str(error), problems=error.problems) from error


def outgoing(value: Any, publish: str | None) -> list[dict[str, Any]]:
    if value is None:
        return []
    values = value if isinstance(value, list) else [value]
    return [_one(each, publish) for each in values]


def _one(value: Any, publish: str | None) -> dict[str, Any]:
    if isinstance(value, Event):
        return {"type": value.type, "data": event_value(value)["data"]}
    if publish is None:
        raise UsageError("a consumer returns events, or names the type of its data by publish=")
    return {"type": publish, "data": value}


RETRY_OPTIONS = ("attempts", "delay", "factor", "max_delay", "jitter", "within", "on", "never")
DURATIONS = ("delay", "max_delay", "within")


def defaults_of(options: Mapping[str, Any]) -> HandlerDefaults:
    """What a decorator says about retry and time-outs."""
    unknown = set(options) - {"timeout", "retry", "heartbeat", *RETRY_OPTIONS}
    if unknown:
        raise UsageError(f"a handler has no option {', '.join(sorted(unknown))}")
    retry: dict[str, Any] = {}
    given = options.get("retry")
    if isinstance(given, Retry):
        retry = msgspec.structs.asdict(given)
    elif isinstance(given, int):
        retry = {"attempts": given}
    elif given:
        retry = dict(given)
    retry |= {name: options[name] for name in RETRY_OPTIONS if name in options}
    retry = {name: _ms(value) if name in DURATIONS else value for name, value in retry.items()}
    return HandlerDefaults(
        retry=retry,
        timeout=_ms(options.get("timeout")),
        heartbeat=_ms(options.get("heartbeat")),
    )


def _ms(value: Any) -> Any:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, float):
        return round(value * 1000)
    return value
