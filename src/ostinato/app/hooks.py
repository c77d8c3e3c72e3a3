"""What an application says about one bus: which messages it wants, and how they are read and
written."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from ostinato.core.cloudevents import Event, Message
from ostinato.core.routes import Likes
from ostinato.errors import UsageError

Wanted = Callable[[Event], bool]
ReadMessage = Callable[[Message], "Event | dict[str, Any] | Iterable[Any] | None"]
WriteMessage = Callable[[Event], Message]
F = TypeVar("F", bound=Callable[..., Any])


class BusHooks:
    """Decorators, of ``app.bus(NAME)``.

    ``*`` stands for any letters; the first adapter that fits is asked.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.filters: list[Wanted] = []
        self._readers: list[tuple[Any, ReadMessage]] = []
        self._writers: list[tuple[Any, WriteMessage]] = []

    def filter(self, wanted: Wanted) -> Wanted:
        """Events for which one such function gives False are dropped: acknowledged, counted, and
        not stored."""
        _refuse_async(wanted, "filter")
        self.filters.append(wanted)
        return wanted

    def adapt_to(self, *places: str) -> Callable[[F], F]:
        """Message → event: an ``Event``, ``{type, data, …}``, several of them, or None for a
        message that is not wanted. ``places`` are the topics and queues it is for; none: all."""
        return _registering(self._readers, places)

    def adapt_from(self, *types: str) -> Callable[[F], F]:
        """Event → ``Message``, for events of these types; none: all."""
        return _registering(self._writers, types)

    def reader_of(self, message: Message) -> ReadMessage | None:
        found: ReadMessage | None = _first(self._readers, message.place)
        return found

    def writer_of(self, event: Event) -> WriteMessage | None:
        found: WriteMessage | None = _first(self._writers, event.type)
        return found

    def wants(self, event: Event) -> bool:
        return all(wanted(event) for wanted in self.filters)


def _refuse_async(function: Callable[..., Any], what: str) -> None:
    if inspect.iscoroutinefunction(function):
        name = getattr(function, "__name__", what)
        raise UsageError(f"{what} {name} is async; it runs between messages: write it as a `def`")


def _registering(table: list[tuple[Any, Any]], names: tuple[str, ...]) -> Callable[[F], F]:
    def register(function: F) -> F:
        _refuse_async(function, "adapter")
        table.append((Likes(names or ("*",)), function))
        return function

    return register


def _first(table: list[tuple[Any, Any]], name: str) -> Any:
    return next((function for fits, function in table if fits.fit(name)), None)
