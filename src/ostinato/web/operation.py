"""What a route is, and how a path finds it.

Every route is one ``Operation``: permission, query, bodies and answers stand beside the function,
and the permission check, the document and the reference page are all read from there.

A static segment wins over a parameter, method by method: `POST /events/trigger` is a route of its
own, `GET /events/trigger` shows the event with this id. Segments are split before they are
decoded, so that an id may contain a slash (written %2F).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

Endpoint = Callable[[Request], Awaitable[Response]]

JSON = "application/json"
PUBLIC = ""  # the permission of what is open to everyone
KNOWN = "*"  # … and of what is open to everyone who is known


@dataclass(frozen=True, slots=True)
class Operation:
    """``name`` is its operationId, and what `[auth] anonymous` lists.

    ``seed``: the route keeps an older service's contract, so errors are plain ``application/json``.
    """

    method: str
    path: str
    endpoint: Endpoint
    may: str
    tag: str
    seed: bool = False
    query: type | None = None
    bodies: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[int, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.endpoint.__name__

    @property
    def summary(self) -> str:
        return (self.endpoint.__doc__ or "").strip().partition("\n")[0]

    @property
    def description(self) -> str:
        rest = (self.endpoint.__doc__ or "").strip().partition("\n")[2]
        return " ".join(rest.split())


class Operations(list[Operation]):
    """The routes of one module. The same function may serve several paths."""

    def __init__(self, tag: str) -> None:
        super().__init__()
        self.tag = tag

    def add(
        self, method: str, path: str, *, may: str, **more: Any
    ) -> Callable[[Endpoint], Endpoint]:
        def added(endpoint: Endpoint) -> Endpoint:
            self.append(Operation(method, path, endpoint, may, self.tag, **more))
            return endpoint

        return added

    def get(self, path: str, **more: Any) -> Callable[[Endpoint], Endpoint]:
        return self.add("GET", path, **more)

    def post(self, path: str, **more: Any) -> Callable[[Endpoint], Endpoint]:
        return self.add("POST", path, **more)

    def patch(self, path: str, **more: Any) -> Callable[[Endpoint], Endpoint]:
        return self.add("PATCH", path, **more)

    def delete(self, path: str, **more: Any) -> Callable[[Endpoint], Endpoint]:
        return self.add("DELETE", path, **more)


class Node:
    __slots__ = ("operations", "parameter", "statics")

    def __init__(self) -> None:
        self.statics: dict[str, Node] = {}
        self.parameter: Node | None = None
        self.operations: dict[str, tuple[Operation, tuple[str, ...]]] = {}

    def walk(self, segments: list[str], values: tuple[str, ...]) -> Iterator[tuple[Node, Any]]:
        """Every node that fits, the one with the earliest static segments first."""
        if not segments:
            if self.operations:
                yield self, values
            return
        first, rest = segments[0], segments[1:]
        if (static := self.statics.get(first)) is not None:
            yield from static.walk(rest, values)
        if self.parameter is not None and first:
            yield from self.parameter.walk(rest, (*values, unquote(first)))


class Table:
    """All operations, found by path and method."""

    def __init__(self, operations: list[Operation]) -> None:
        self.operations = operations
        self._root = Node()
        self._plain: dict[tuple[str, str], Operation] = {}
        for operation in operations:
            self._put(operation)

    def _put(self, operation: Operation) -> None:
        node, names = self._root, []
        for segment in _segments(operation.path):
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.parameter = node.parameter or Node()
                node = node.parameter
            else:
                node = node.statics.setdefault(segment, Node())
        if operation.method in node.operations:
            raise ValueError(f"{operation.method} {operation.path} is served twice")
        node.operations[operation.method] = operation, tuple(names)
        if not names:
            self._plain[operation.method, operation.path] = operation

    def find(self, method: str, path: str) -> tuple[Operation | None, dict[str, str], list[str]]:
        """The operation and its path parameters; without one, the methods that the path has."""
        if (operation := self._plain.get((method, path))) is not None:
            return operation, {}, []
        wanted = "GET" if method == "HEAD" else method
        methods: set[str] = set()
        for node, values in self._root.walk(_segments(path), ()):
            if (found := node.operations.get(wanted)) is not None:
                return found[0], dict(zip(found[1], values, strict=True)), []
            methods |= node.operations.keys()
        return None, {}, _allowed(methods)


def _segments(path: str) -> list[str]:
    """A slash at the end means nothing."""
    trimmed = path.strip("/")
    return trimmed.split("/") if trimmed else []


def _allowed(methods: set[str]) -> list[str]:
    if not methods:
        return []
    return sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set()))
