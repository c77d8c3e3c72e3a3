"""The pace of Python's garbage collector while an engine runs.

A run in memory is a web of some fifty small objects, and a burst brings thousands of runs. As
Python comes, it looks at the young objects after every 700 new ones, and again and again at all:
that was half of the time of 10,000 starts. docs/decisions/0009 has the figures.
"""

from __future__ import annotations

import gc
from collections.abc import Callable

YOUNG = 10_000
"""New objects between two looks."""


def slow_down() -> Callable[[], None]:
    """Returns what takes it back. A pace that the program chose itself, or none, stays."""
    young, middle, old = gc.get_threshold()
    if not 0 < young < YOUNG:
        return lambda: None
    gc.set_threshold(YOUNG, middle, old)
    return lambda: gc.set_threshold(young, middle, old)
