"""What the engine asks of the workflows that are deployed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from msgspec import Raw

from ostinato.core.cloudevents import Event, Message
from ostinato.core.graph import Graph
from ostinato.core.schedules import Plan
from ostinato.core.triggers import Listeners, Trigger


class Catalog(Listeners, Protocol):
    def graph(self, workflow: str, version: int) -> Graph:
        """Ready to run. Raises ``NotFoundError`` or ``DefinitionError``."""

    def resolve(self, name: str, version: int | None = None) -> tuple[str, int]:
        """The workflow, and the newest of its versions. Raises ``WorkflowNotFound``."""

    def called_input(self, workflow: str, version: int, input: Raw) -> Raw:
        """The input with its defaults. Raises ``InvalidInput``."""

    def plans(self) -> Mapping[str, Mapping[str, Plan]]:
        """Workflow → schedule → what its newest document says. Without what cannot be read."""

    def scheduled(self, schedule_id: str) -> tuple[Trigger, Plan] | None:
        """What the schedule starts, and when."""

    def read_message(self, bus: str, message: Message) -> Iterable[Event]:
        """What a message means now. Any error: it cannot be read."""

    def bus_problem(self, bus: str) -> str:
        """Why nothing can go out on this bus; empty when it can."""

    def workflows(self) -> Iterable[str]:
        """Every workflow that runs may be of, retired ones too."""

    def waiters(self, type: str) -> Iterable[str]:
        """The workflows whose runs may look back for an event of this type."""
