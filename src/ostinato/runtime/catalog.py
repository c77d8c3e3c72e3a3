"""What the engine asks of the workflows that are deployed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ostinato.core.graph import Graph
from ostinato.core.triggers import Listeners


class Catalog(Listeners, Protocol):
    def graph(self, workflow: str, version: int) -> Graph:
        """Ready to run. Raises ``NotFoundError`` or ``DefinitionError``."""

    def workflows(self) -> Iterable[str]:
        """Every workflow that runs may be of, retired ones too."""

    def waiters(self, type: str) -> Iterable[str]:
        """The workflows whose runs may look back for an event of this type."""
