"""A workflow document, read: what it says in the words of the core, with its places kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ostinato.core.expressions import Expression, Template
from ostinato.core.model import Action, Dedup, Each, Limit, OnError, Repeat, UidRule
from ostinato.core.schedules import Plan
from ostinato.definitions.reader import Use
from ostinato.definitions.source import Path, Place, member, shown
from ostinato.errors import Problem

__all__ = ["Body", "Catch", "Document", "Job", "Phase", "TriggerSpec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerSpec:
    """``types`` and ``pattern`` (when there is one) say which events start a run; a ``plan`` says
    when one starts. ``rule`` is what it says of a uid that is taken.
    """

    index: int
    types: tuple[str, ...] = ()
    name: str | None = None
    path: Path = ()
    plan: Plan | None = None
    pattern: dict[str, Any] | None = None
    bus: str | None = None
    input: Expression | Template | None = None
    uid: Expression | None = None
    rule: UidRule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What is done: by a job, instead of one, or to take one back.

    ``retry`` and ``timeout`` hold only what the document says: the rest is the handler's.
    """

    path: Path
    action: Action
    input: Template | None = None
    expect: Expression | None = None
    repeat: Repeat | None = None
    retry: Mapping[str, Any] = field(default_factory=dict)
    timeout: int | None = None
    callback: bool = False
    heartbeat: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Catch:
    """For errors with one of these names, ``body`` or ``output`` stands in for the job."""

    on: tuple[str, ...]
    body: Body | None = None
    output: Template | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Body):
    name: str
    needs: tuple[str, ...] = ()
    when: Expression | None = None
    each: Each | None = None
    optional: bool = False
    on_error: OnError | None = None
    limits: tuple[Limit, ...] = ()
    catch: tuple[Catch, ...] = ()
    undo: Body | None = None

    def bodies(self) -> Iterator[Body]:
        """Its own, and those that stand in for it or take it back."""
        yield self
        yield from (catch.body for catch in self.catch if catch.body is not None)
        if self.undo is not None:
            yield self.undo


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    name: str
    path: Path
    jobs: tuple[Job, ...]
    when: Expression | None = None
    each: Each | None = None
    sequential: bool = False
    enough: int | None = None
    on_error: OnError | None = None
    timeout: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """``data`` is the document as plain values: what is stored, shown and digested."""

    workflow: str
    data: dict[str, Any]
    place: Place
    uses: tuple[Use, ...]
    phases: tuple[Phase, ...]
    on_failure: tuple[Job, ...] = ()
    finally_: tuple[Job, ...] = ()
    triggers: tuple[TriggerSpec, ...] = ()
    input_schema: dict[str, Any] | None = None
    output: Expression | Template | None = None
    timeout: int | None = None
    on_error: OnError | None = None
    limits: tuple[Limit, ...] = ()
    priority: int = 5
    uid: UidRule | None = None
    dedup: Dedup | None = None
    description: str = ""

    def jobs(self) -> Iterator[Job]:
        for phase in self.phases:
            yield from phase.jobs
        yield from self.on_failure
        yield from self.finally_

    def place_at(self, path: Path) -> Place:
        """What was written there, or nearest above."""
        at = self.place
        for part in path:
            below = member(at, part)
            if below is None:
                break
            at = below
        return at

    def at(self, path: Path) -> Any:
        """What is written at that path."""
        value: Any = self.data
        for part in path:
            value = value[part]
        return value

    def problem(self, path: Path, message: str, hint: str = "") -> Problem:
        at = self.place_at(path)
        return Problem(message, shown(path), line=at.line, column=at.column, hint=hint)
