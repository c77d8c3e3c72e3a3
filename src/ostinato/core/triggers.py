"""Event → runs: which triggers fit, how each makes its input and uid, and what is a misfit.

A misfit is a trigger that fits but cannot start its run: its expressions fail on this event, or
what they make is no input of the workflow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from msgspec import Raw

from ostinato.core import correlation
from ostinato.core.cloudevents import Event, event_value
from ostinato.core.codec import encode_value
from ostinato.core.expressions import Expression, Template
from ostinato.core.model import UidRule
from ostinato.core.uids import uid_of
from ostinato.errors import ExpressionError, InvalidInput, OstinatoError


@dataclass(frozen=True, slots=True)
class Trigger:
    """Event → run: which workflow, and how its input and uid are made from the event.

    ``rule`` is what it says of a uid that is taken; None: what the workflow says.
    """

    workflow: str
    version: int
    number: int = 0
    called: str | None = None
    input: Expression | Template | None = None
    uid: Expression | None = None
    rule: UidRule | None = None

    @property
    def name(self) -> str:
        return f"{self.workflow}/on/{self.called or self.number}"


class Listeners(Protocol):
    """What is asked of the workflows that are deployed."""

    def triggers(self, type: str, event: Mapping[str, Any]) -> Sequence[Trigger]:
        """The triggers whose pattern this event matches."""

    def listens(self, type: str) -> bool:
        """Whether any trigger could match an event of this type."""

    def shapes(self, type: str) -> Sequence[tuple[str, ...]]:
        """The paths by which waits for this type are found, one tuple per kind of wait."""

    def check_input(self, workflow: str, version: int, value: Any) -> Any:
        """The input with defaults filled in. Raises ``InvalidInput``."""


class Starting:
    """A run that an event starts."""

    __slots__ = ("input", "trigger", "uid")

    def __init__(self, trigger: Trigger, input: Raw | None, uid: str | None) -> None:
        self.trigger = trigger
        self.input = input
        self.uid = uid


class Found:
    """What one event sets off."""

    __slots__ = ("encoded", "event", "misfits", "starts", "values_keys")

    def __init__(self, event: Event) -> None:
        self.event = event
        self.starts: list[Starting] = []
        self.misfits: list[tuple[Trigger, OstinatoError]] = []
        self.values_keys: list[str] = []
        self.encoded = Raw(b"")

    def add(self, listeners: Listeners, trigger: Trigger, value: dict[str, Any]) -> None:
        """What the trigger starts, or why it cannot."""
        try:
            self.starts.append(_starting(listeners, trigger, value))
        except (InvalidInput, ExpressionError) as error:
            self.misfits.append((trigger, error))


def match(listeners: Listeners, event: Event) -> Found:
    """The triggers that fit, with their inputs made, and the keys by which waits may find it."""
    found = Found(event)
    shapes = listeners.shapes(event.type)
    if not shapes and not listeners.listens(event.type):
        return found
    value = event_value(event)
    found.encoded = Raw(msgspec.json.encode(value | {"data": event.data}))
    for paths in shapes:
        key = correlation.key_of_event(paths, value)
        if key is not None:
            found.values_keys.append(key)
    for trigger in listeners.triggers(event.type, value):
        found.add(listeners, trigger, value)
    return found


def met(listeners: Listeners, trigger: Trigger, event: Event) -> Found:
    """An event that is made for this trigger; who listens to its type gets it too."""
    found = match(listeners, event)
    value = event_value(event)
    found.encoded = Raw(msgspec.json.encode(value | {"data": event.data}))
    found.add(listeners, trigger, value)
    return found


def _starting(listeners: Listeners, trigger: Trigger, event: dict[str, Any]) -> Starting:
    names = {"event": event, "input": event["data"]}
    given = event["data"] if trigger.input is None else _made(trigger.input, names)
    checked = listeners.check_input(trigger.workflow, trigger.version, given)
    same = trigger.input is None and checked == given
    uid = None if trigger.uid is None else uid_of(trigger.uid.evaluate(names))
    return Starting(trigger, None if same else encode_value(checked), uid)


def _made(source: Expression | Template, names: dict[str, Any]) -> Any:
    return source.evaluate(names) if isinstance(source, Expression) else source.render(names)
