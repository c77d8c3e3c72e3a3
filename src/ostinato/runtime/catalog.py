"""What the engine asks of the workflows that are deployed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ostinato.core.expressions import Expression, Template
from ostinato.core.graph import Graph


@dataclass(frozen=True, slots=True)
class Trigger:
    """Event → run: which workflow, and how its input and uid are made from the event."""

    workflow: str
    version: int
    number: int = 0
    input: Expression | Template | None = None
    uid: Expression | None = None

    @property
    def name(self) -> str:
        return f"{self.workflow}/on/{self.number}"


class Catalog(Protocol):
    def graph(self, workflow: str, version: int) -> Graph:
        """Ready to run. Raises ``NotFoundError`` or ``DefinitionError``."""

    def resolve(self, name: str, version: int | None = None) -> tuple[str, int]:
        """The workflow's own name and version, from its name or id."""

    def triggers(self, type: str, event: Mapping[str, Any]) -> Sequence[Trigger]:
        """The triggers whose pattern this event matches."""

    def listens(self, type: str) -> bool:
        """Whether any trigger could match an event of this type."""

    def shapes(self, type: str) -> Sequence[tuple[str, ...]]:
        """The paths by which waits for this type are found, one tuple per kind of wait."""

    def check_input(self, workflow: str, version: int, value: Any) -> Any:
        """The input with defaults filled in. Raises ``InvalidInput``."""
