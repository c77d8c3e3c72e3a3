"""Checks that a function's argument is of a kind it takes."""

from __future__ import annotations

from typing import Any

from ostinato.core.expressions.faults import failure
from ostinato.core.expressions.values import kind

__all__ = ["wanted"]


def wanted(name: str, value: Any, *shapes: str) -> Any:
    """The value itself; the error names the function, what it takes and what it got."""
    found = kind(value)
    if found in shapes:
        return value
    hint = "write default(x, …) for what may be missing" if value is None else ""
    raise failure(f"{name}() needs {' or '.join(shapes)}, not {found}", hint)
