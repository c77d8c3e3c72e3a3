"""A handler: what it takes, what it gives, how it is retried.

Arguments are the job's input, by name; an argument annotated ``Job`` (or another type that was
provided) is injected. Annotations are checked and converted by pydantic; those that do not fit
are the failure ``WrongArguments``.
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterable, KeysView, Mapping
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Raw

from ostinato.core import events as e
from ostinato.core.commands import StartJob
from ostinato.errors import UsageError

Report = Callable[[str, e.Event], None]


class WrongArguments(UsageError):
    """The job's input does not fit the handler."""


class Site(Protocol):
    """What a run has from its graph: where callbacks arrive, and how soon its jobs come."""

    @property
    def address(self) -> str: ...
    @property
    def priority(self) -> int: ...


class Origin(Protocol):
    """The run that a job is of, as far as its handler may ask: a ``State``, or what a worker has
    been told of it."""

    @property
    def run_id(self) -> str: ...
    @property
    def workflow(self) -> str: ...
    @property
    def uid(self) -> str | None: ...
    @property
    def mark(self) -> str: ...
    @property
    def graph(self) -> Site: ...
    @property
    def event_value(self) -> Any: ...
    def token(self, key: str) -> str: ...


class Job:
    """The attempt that a handler is at work on.

    ``idempotency_key`` stays the same over all attempts. ``cancelled`` turns true when the job
    should stop: a handler in a thread must look at it, an async one is cancelled.
    """

    __slots__ = ("_command", "_report", "_state", "cancelled")

    def __init__(self, state: Origin, command: StartJob, report: Report) -> None:
        self._state = state
        self._command = command
        self._report = report
        self.cancelled = False

    @property
    def run_id(self) -> str:
        return self._state.run_id

    @property
    def workflow(self) -> str:
        return self._state.workflow

    @property
    def uid(self) -> str | None:
        return self._state.uid

    @property
    def key(self) -> str:
        return self._command.key

    @property
    def attempt(self) -> int:
        return self._command.attempt

    @property
    def idempotency_key(self) -> str:
        return f"{self.run_id}:{self._command.key}"

    @property
    def token(self) -> str:
        """Whoever has it can end the job, or say that it is alive."""
        return self._state.token(self._command.key)

    @property
    def callback_url(self) -> str:
        return f"{self._state.graph.address}/callbacks/{self.token}"

    @property
    def input(self) -> Any:
        data = self._command.input
        return None if data is None else msgspec.json.decode(data)

    @property
    def trigger(self) -> dict[str, Any] | None:
        """The event that started the run."""
        value: dict[str, Any] | None = self._state.event_value
        return value

    def heartbeat(self) -> None:
        """Say that the work goes on."""
        self._report(self.run_id, e.Heard(self.key, self.attempt))

    def __repr__(self) -> str:
        return f"<Job {self.key} of {self.run_id}, attempt {self.attempt}>"


Provide = Callable[[Job], Any]


def routine_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function or method behind what can be called: it knows its annotations."""
    if isinstance(function, functools.partial):
        return routine_of(function.func)
    if inspect.isroutine(function) or "__annotations__" in getattr(function, "__dict__", ()):
        return function
    return types.MethodType(type(function).__call__, function)


def is_async(function: Callable[..., Any]) -> bool:
    """Also an object that is called as one is."""
    return inspect.iscoroutinefunction(routine_of(function))


Where = Literal["loop", "thread", "process"]


class Handler:
    """A function under a name. ``where`` it runs: async ones on the engine's loop."""

    __slots__ = ("_convert", "_names", "_provided", "_required", "_takes_all", "function", "name",
                 "where")  # fmt: skip

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        provide: Mapping[type, Provide],
        *,
        process: bool = False,
    ) -> None:
        self.name = name
        self.function = function
        self.where: Where = "loop" if is_async(function) else "process" if process else "thread"
        self._names: list[str] = []
        self._required: set[str] = set()
        self._provided: list[tuple[str, Provide]] = []
        self._convert: dict[str, Callable[[Any], Any]] = {}
        self._takes_all = False
        self._read(provide)

    def _read(self, provide: Mapping[type, Provide]) -> None:
        hints = hints_of(self.function)
        for name, parameter in inspect.signature(self.function).parameters.items():
            kind = hints.get(name, Any)
            if parameter.kind is parameter.VAR_KEYWORD:
                self._takes_all = True
            elif parameter.kind is parameter.VAR_POSITIONAL:
                raise UsageError(f"handler {self.name!r}: *{name} cannot be filled from an input")
            elif kind in provide:
                self._provided.append((name, provide[kind]))
            else:
                self._names.append(name)
                if parameter.default is parameter.empty:
                    self._required.add(name)
                if (convert := _converter(kind)) is not None:
                    self._convert[name] = convert

    @property
    def injects(self) -> bool:
        """Whether it asks for more than its arguments."""
        return bool(self._provided)

    def bind(self, job: Job, data: Raw | None) -> Callable[[], Any]:
        """The call to make. Raises ``WrongArguments``."""
        if data is None and not self._names and not self._provided:
            return self.function
        given = {} if data is None else msgspec.json.decode(data)
        arguments = self._arguments(given)
        for name, provide in self._provided:
            arguments[name] = provide(job)
        return functools.partial(self.function, **arguments) if arguments else self.function

    def _arguments(self, given: Any) -> dict[str, Any]:
        if given is None:
            given = {}
        if not isinstance(given, dict):
            raise WrongArguments(f"{self.name} takes named arguments, not {given!r:.80}")
        if not self._takes_all and (unknown := given.keys() - set(self._names)):
            raise WrongArguments(
                f"{self.name} has no argument {_list(unknown)}; it takes {_list(self._names)}"
            )
        if missing := self._required - given.keys():
            raise WrongArguments(f"{self.name} needs {_list(missing)}")
        for name, convert in self._convert.items():
            if name in given:
                given[name] = self._converted(name, given[name], convert)
        return given

    def _converted(self, name: str, value: Any, convert: Callable[[Any], Any]) -> Any:
        from pydantic import ValidationError

        try:
            return convert(value)
        except ValidationError as error:
            reasons = "; ".join(
                f"{'.'.join(map(str, (name, *one['loc'])))}: {one['msg']}" for one in error.errors()
            )
            raise WrongArguments(f"{self.name}: {reasons}") from None


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    routine = routine_of(function)
    try:
        return typing.get_type_hints(routine)
    except Exception:
        written = getattr(routine, "__annotations__", {})
        return {name: _hint(function, name, text) for name, text in written.items()}


def _hint(function: Callable[..., Any], name: str, text: Any) -> Any:
    """One annotation; what cannot be evaluated here stays unchecked."""
    alone = types.SimpleNamespace(__annotations__={name: text})
    names = getattr(routine_of(inspect.unwrap(function)), "__globals__", {})
    try:
        return typing.get_type_hints(alone, names)[name]
    except Exception:
        return Any


def _converter(kind: Any) -> Callable[[Any], Any] | None:
    if kind is Any or kind is object:
        return None
    from pydantic import TypeAdapter

    convert: Callable[[Any], Any] = TypeAdapter(kind).validate_python
    return convert


def _list(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names)) or "nothing"


class Handlers:
    """The handlers of this process, by name."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self._provide: dict[type, Provide] = {Job: lambda job: job}

    @property
    def provided(self) -> Iterable[type]:
        """What is injected."""
        return self._provide.keys()

    def provide(self, kind: type, make: Provide) -> None:
        """Inject ``make(job)`` where a handler asks for ``kind``."""
        self._provide[kind] = make

    def add(self, name: str, function: Callable[..., Any], *, process: bool = False) -> Handler:
        if name in self._handlers and self._handlers[name].function is not function:
            raise UsageError(f"there are two handlers called {name!r}")
        handler = self._handlers[name] = Handler(name, function, self._provide, process=process)
        return handler

    def get(self, name: str) -> Handler | None:
        return self._handlers.get(name)

    def names(self) -> KeysView[str]:
        """As they are at each moment."""
        return self._handlers.keys()

    def all(self) -> Iterable[Handler]:
        return self._handlers.values()
