"""Every error that Ostinato raises on purpose, by who can act on it.

OstinatoError
├── DefinitionError          the author of a workflow, a pattern or an expression
│   ├── ExpressionError      an expression that cannot be read, or failed on its values
│   │   └── ExpressionTooCostly
│   └── PatternError         (also a ValueError) an event pattern that is not one
├── UsageError               the caller: wrong arguments, wrong moment
│   ├── NotStorable          a value that JSON cannot hold (NaN, a set, an open file)
│   ├── InvalidInput         input that does not fit a workflow's schema
│   ├── TooLarge             a value or document over its limit
│   └── NothingIsRunning     a call that needs an engine, and there is none
├── NotFoundError            a run, workflow, event or token that does not exist
│   └── WorkflowNotFound     no workflow of this name or id is deployed
│       └── WorkflowVersionNotFound
├── ConflictError            a request that the present state refuses
│   ├── Gone                 a token that has expired
│   ├── Unloadable           a stored run that cannot be read as things are
│   ├── ProtocolMismatch     a worker and a server that do not understand each other
│   └── Busy                 no room for more work now; try again later
├── AdapterError             the operator: a store, bus or server; mostly has a ``__cause__``
│   ├── Damaged              a row of the store is not whole
│   ├── StoreError           the store refused or could not be reached
│   │   ├── UnknownCommit    the store may or may not have kept the batch
│   │   ├── ShardAway        one of several stores does not answer
│   │   └── Refused          the store will never take this data
│   │       └── Overtaken    another process was first; look again
│   │           └── Outdated workflows were deployed since it looked
│   ├── StoreLocked          another process works on the store
│   ├── BusError             a bus refused or could not be reached
│   ├── Unsent               a bus has not taken all that it was given
│   └── Fenced               this process lost what it owned
├── SignatureError           who sent what is signed: it is forged, too old, or of another secret
├── ProcessDied              a handler's process is gone, and took its attempt along
├── SettingsError            the operator: a setting that is unknown or does not fit
└── Unready                  whoever asks an engine that is stopping, or has not begun

A handler steers its job by ``Fail`` (see ``outcomes``); those are not errors of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = [
    "AdapterError",
    "BusError",
    "Busy",
    "ConflictError",
    "Damaged",
    "DefinitionError",
    "ExpressionError",
    "ExpressionTooCostly",
    "Fenced",
    "Gone",
    "InvalidInput",
    "NotFoundError",
    "NotStorable",
    "NothingIsRunning",
    "OstinatoError",
    "Outdated",
    "Overtaken",
    "PatternError",
    "Problem",
    "ProcessDied",
    "ProtocolMismatch",
    "Refused",
    "SettingsError",
    "ShardAway",
    "SignatureError",
    "StoreError",
    "StoreLocked",
    "TooLarge",
    "UnknownCommit",
    "Unloadable",
    "Unready",
    "Unsent",
    "UsageError",
    "WorkflowNotFound",
    "WorkflowVersionNotFound",
]


class Problem:
    """One thing that is wrong: where (a path, a line, a column), what, and how to mend it."""

    __slots__ = ("column", "hint", "line", "message", "path")

    def __init__(
        self, message: str, path: str = "", *, line: int = 0, column: int = 0, hint: str = ""
    ) -> None:
        self.message = message
        self.path = path
        self.line = line
        self.column = column
        self.hint = hint

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        mend = f" ({self.hint})" if self.hint else ""
        return f"{where}{self.message}{mend}"

    def __repr__(self) -> str:
        return f"Problem({str(self)!r}, line={self.line})"


class OstinatoError(Exception):
    """The root. ``code`` is a stable name for machines; ``problems`` says each wrong thing."""

    def __init__(self, message: str, *, problems: tuple[Problem, ...] = (), **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.problems = problems
        self.details = details

    @property
    def code(self) -> str:
        return type(self).__name__


class DefinitionError(OstinatoError):
    pass


class ExpressionError(DefinitionError):
    pass


class ExpressionTooCostly(ExpressionError):
    pass


class PatternError(DefinitionError, ValueError):
    pass


class UsageError(OstinatoError):
    pass


class NotStorable(UsageError):
    pass


class InvalidInput(UsageError):
    pass


class TooLarge(UsageError):
    @classmethod
    def beyond(
        cls, what: str, size: int, limit: int, setting: str, unit: str = "bytes of JSON"
    ) -> TooLarge:
        """``setting`` is the name of the one that moves the limit."""
        mend = "send fewer at once" if unit == "events" else "store it elsewhere and send a link"
        said = f"{what} is {size:,} {unit}, the limit is {limit:,} ({setting})"
        return cls(f"{said}; {mend}, or raise the limit")


class NothingIsRunning(UsageError):
    pass


class NotFoundError(OstinatoError):
    pass


class WorkflowNotFound(NotFoundError):
    pass


class WorkflowVersionNotFound(WorkflowNotFound):
    pass


class ConflictError(OstinatoError):
    pass


class Gone(ConflictError):
    pass


class Unloadable(ConflictError):
    pass


class ProtocolMismatch(ConflictError):
    pass


class Busy(ConflictError):
    """``retry_after`` seconds is when trying again makes sense."""

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AdapterError(OstinatoError):
    pass


class Damaged(AdapterError):
    pass


class StoreError(AdapterError):
    pass


class UnknownCommit(StoreError):
    pass


class ShardAway(StoreError):
    pass


class Refused(StoreError):
    pass


class Overtaken(Refused):
    pass


class Outdated(Overtaken):
    pass


class StoreLocked(AdapterError):
    pass


class BusError(AdapterError):
    """Its text says how to mend it, where that is known (a topic that is missing, a key)."""


class Unsent(AdapterError):
    """``events`` (source, id) are those that are to come again; ``refused`` it never takes."""

    def __init__(
        self,
        message: str,
        events: frozenset[tuple[str, str]] = frozenset(),
        refused: Mapping[tuple[str, str], Exception] | None = None,
    ) -> None:
        super().__init__(message)
        self.events = events
        self.refused = refused or {}


class Fenced(AdapterError):
    pass


class SignatureError(OstinatoError):
    """Its text is for a log: whoever forged it learns nothing of what would have fitted."""


class ProcessDied(OstinatoError):
    pass


class SettingsError(OstinatoError):
    pass


class Unready(OstinatoError):
    pass
