"""The crash points: every ``await``, ``async for`` and ``async with`` of ``ostinato.runtime``, but
those of a worker.

They are read from the source, so that none can be forgotten. A crash covers those at which a task
of the process is suspended when it dies.
"""

from __future__ import annotations

import ast
import asyncio
import gc
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import ostinato.runtime

Point = tuple[str, int]
"""Module and line: two on one line are one point."""

PACKAGE = Path(ostinato.runtime.__file__).parent
ELSEWHERE = ("worker",)
"""What is no part of the engine's process: simulated workers stand in its place."""

SUSPENDS = (ast.Await, ast.AsyncFor, ast.AsyncWith)


@cache
def _functions() -> dict[Point, str]:
    return {
        (path.stem, node.lineno): name
        for path in PACKAGE.glob("*.py")
        if path.stem not in ELSEWHERE
        for name, function in _named(ast.parse(path.read_text(), str(path)))
        if isinstance(function, ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, SUSPENDS) and not _is_time_out(node)
    }


def _is_time_out(node: ast.AST) -> bool:
    """``async with asyncio.timeout(…)`` enters and leaves without a turn of the loop."""
    return isinstance(node, ast.AsyncWith) and all(
        ast.unparse(item.context_expr).startswith("asyncio.timeout(") for item in node.items
    )


def _named(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    for node in tree.body:
        yield getattr(node, "name", ""), node
        if isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{getattr(one, 'name', '')}", one) for one in node.body)


@cache
def crash_points() -> tuple[Point, ...]:
    return tuple(sorted(_functions()))


def function_of(point: Point) -> str:
    """Its name, with that of its class before it if it has one."""
    return _functions()[point]


@cache
def name_of(point: Point) -> str:
    """The same as long as its function has as many points before it, wherever that stands."""
    module, line = point
    function = _functions()[point]
    before = sum(
        1 for (other, at), name in _functions().items()
        if other == module and name == function and at < line
    )  # fmt: skip
    return f"{module}:{function}#{before}"


@cache
def line_of(point: Point) -> str:
    """As it stands in the source."""
    module, line = point
    return (PACKAGE / f"{module}.py").read_text().splitlines()[line - 1].strip()


def suspended_at(task: asyncio.Task[Any]) -> Iterator[Point]:
    """Where a task rests, from its outermost frame to its innermost one."""
    awaited: Any = task.get_coro()
    while awaited is not None:
        frame, inner = _frame(awaited)
        if frame is not None and (module := _module(frame.f_code.co_filename)):
            yield module, frame.f_lineno
        awaited = inner


def _frame(awaited: Any) -> tuple[Any, Any]:
    kind = type(awaited).__name__
    if kind == "coroutine":
        return awaited.cr_frame, awaited.cr_await
    if kind == "generator":
        return awaited.gi_frame, awaited.gi_yieldfrom
    if kind == "async_generator":
        return awaited.ag_frame, awaited.ag_await
    if kind.startswith("async_generator_a"):  # its generator is no attribute of it
        held = gc.get_referents(awaited)
        return None, next((one for one in held if type(one).__name__ == "async_generator"), None)
    return None, None


@cache
def _module(filename: str) -> str:
    path = Path(filename)
    return path.stem if path.parent == PACKAGE else ""
