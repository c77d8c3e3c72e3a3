"""Handlers in processes of their own: they cannot hold up the loop, and can be killed.

pool       the processes of one engine: idle ones, new ones, their end
process    one of them, seen from the engine
child      what it does, inside
messages   what the two say to each other         work       one attempt, as it is handed over
doing      an attempt is made, and what came of it said
finding    a function is found again by the name of its module and its own
inline     no processes: for simulations and tests
"""

from __future__ import annotations

from ostinato.runtime.processes.inline import InLine
from ostinato.runtime.processes.messages import Failed
from ostinato.runtime.processes.pool import Pool, Processes, cores
from ostinato.runtime.processes.work import Work, event_of

__all__ = [
    "Failed",
    "InLine",
    "Pool",
    "Processes",
    "Work",
    "cores",
    "event_of",
]
