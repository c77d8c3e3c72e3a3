"""A function is found again, in another process, by the name of its module and its own name there.

So it must stand at the top of a module that can be imported. What cannot be found is refused where
it is registered, or at the latest when the app opens: not when its first job fails.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from ostinato.core.cloudevents import Event
from ostinato.errors import UsageError
from ostinato.runtime.handlers import Handler, Job, hints_of, is_async

INJECTED = (Job, Event)
"""What a process can make of what it is told."""

PLACE = "define it with `def` at the top of a module"


def check_findable(name: str, function: Callable[..., Any], provided: Iterable[type]) -> None:
    """Raises ``UsageError``: a process could not find or run this function."""
    if is_async(function) or inspect.isasyncgenfunction(function):
        raise UsageError(
            f"handler {name!r} is async, and one with process=True is not: a process does one "
            "thing at a time. Leave `async` away, or leave process=True away"
        )
    if problem := _problem(function):
        raise UsageError(f"handler {name!r} has process=True, but {problem}")
    asked = hints_of(function).values()
    for kind in provided:
        if kind in asked and kind not in INJECTED:
            raise UsageError(
                f"handler {name!r} has process=True, and {kind.__name__} lives in the engine's "
                "process; only Job and Event are injected in another one"
            )


def _problem(function: Callable[..., Any]) -> str:
    qualname = getattr(function, "__qualname__", "")
    if isinstance(function, functools.partial) or inspect.ismethod(function) or not qualname:
        return f"a process finds functions by their name, and this has none of its own; {PLACE}"
    if "<lambda>" in qualname:
        return f"a lambda has no name by which a process could find it; {PLACE}"
    if "<locals>" in qualname:
        return f"{qualname} is made inside a function, where no process can find it; {PLACE}"
    if function.__module__ == "__main__" and not _main_has_file():
        return "it stands in no file (a prompt, a notebook, `python -c`); put it into a module"
    return ""


def _main_has_file() -> bool:
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    return getattr(main, "__spec__", None) is not None or bool(file and os.path.exists(file))


def check_at_work(handlers: Iterable[Handler]) -> None:
    """Raises ``UsageError`` when a name now means something else than the handler.

    And when this is no place to run an app: a process is importing the script that made it.
    """
    if _is_being_imported():
        raise UsageError(
            "a process for handlers imports this script, and the script runs its app at once; "
            'put what runs it below `if __name__ == "__main__":`'
        )
    for handler in handlers:
        if handler.where == "process":
            _check_same(handler.name, handler.function)


def _check_same(name: str, function: Callable[..., Any]) -> None:
    try:
        found = find(function.__module__, function.__qualname__)
    except (ImportError, AttributeError):
        found = None
    if found is not function:
        raise UsageError(
            f"handler {name!r} has process=True, but {function.__module__}."
            f"{function.__qualname__} is another thing, so a process would run that one. Give the "
            "function a name of its own there, and put @app.handler above other decorators"
        )


def _is_being_imported() -> bool:
    """As multiprocessing knows it, which refuses to start a process then."""
    module = sys.modules.get("multiprocessing.process")
    return module is not None and getattr(module.current_process(), "_inheriting", False)


def find(module: str, qualname: str) -> Callable[..., Any]:
    """Raises ``ImportError`` or ``AttributeError``, and whatever the module raises."""
    found: Any = sys.modules.get(module) or importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    function: Callable[..., Any] = found
    if not inspect.isroutine(found):  # the decorator has left a HandlerFunction there
        function = getattr(found, "function", found)
    return function
