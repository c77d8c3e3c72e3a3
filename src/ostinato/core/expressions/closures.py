"""The one shape of everything compiled: ``run(context, budget, slots)``.

``slots`` holds what ``all exists filter map`` are looking at, one place per variable. Three plain
arguments cost less than one object that would have to be made and read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ostinato.core.expressions.budget import Budget

__all__ = ["Context", "Run", "Slots", "constant"]

Context = Mapping[str, Any]
Slots = list[Any]
Run = Callable[[Context, Budget, Slots], Any]


def constant(value: Any) -> Run:
    return lambda context, budget, slots: value
