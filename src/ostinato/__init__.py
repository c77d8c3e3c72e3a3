"""Ostinato: an event-driven, durable workflow orchestrator.

errors       the tree of errors
core         the rules, pure: graph, state, facts, decide, fold, expressions, patterns
config       settings                       telemetry  logs and metrics
signing      signatures of webhooks and callbacks, made and verified
definitions  how a workflow is written; everything becomes one graph
ports        what the engine asks of the world
storage      memory and SQLite              bus        memory
runtime      engine, executor, timers, inbox, outbox, and the one loop
app          App: where adapters are chosen and wired
arc          a SaaS control plane, mounted on an app
web, cli     the doors                      aws_lambda  another one
testing      the kit: contracts for adapters, graphs played without an engine

A name is imported when it is first used: a script that only defines handlers starts at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ostinato.app import Accepted, App, EventType, Once, Run, RunEnded
    from ostinato.core.cloudevents import Event
    from ostinato.core.patterns import Pattern, PatternIndex
    from ostinato.errors import (
        Busy,
        ConflictError,
        DefinitionError,
        InvalidInput,
        NotFoundError,
        NothingIsRunning,
        OstinatoError,
        PatternError,
    )
    from ostinato.runtime.handlers import Job
    from ostinato.runtime.outcomes import Fail, Later, Retry

__version__ = "0.1.0"

__all__ = [
    "Accepted",
    "App",
    "Busy",
    "ConflictError",
    "DefinitionError",
    "Event",
    "EventType",
    "Fail",
    "InvalidInput",
    "Job",
    "Later",
    "NotFoundError",
    "NothingIsRunning",
    "Once",
    "OstinatoError",
    "Pattern",
    "PatternError",
    "PatternIndex",
    "Retry",
    "Run",
    "RunEnded",
    "__version__",
]

_HOMES = {
    "ostinato.app": ("Accepted", "App", "EventType", "Once", "Run", "RunEnded"),
    "ostinato.core.cloudevents": ("Event",),
    "ostinato.core.patterns": ("Pattern", "PatternIndex"),
    "ostinato.errors": (
        "Busy",
        "ConflictError",
        "DefinitionError",
        "InvalidInput",
        "NotFoundError",
        "NothingIsRunning",
        "OstinatoError",
        "PatternError",
    ),
    "ostinato.runtime.handlers": ("Job",),
    "ostinato.runtime.outcomes": ("Fail", "Later", "Retry"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(home), name)
            return value
    raise AttributeError(f"module 'ostinato' has no attribute {name!r}")
