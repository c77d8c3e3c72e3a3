"""What the engine asks of the workflows that are deployed."""

from __future__ import annotations

from typing import Protocol

from ostinato.core.graph import Graph
from ostinato.core.triggers import Listeners


class Catalog(Listeners, Protocol):
    def graph(self, workflow: str, version: int) -> Graph:
        """Ready to run. Raises ``NotFoundError`` or ``DefinitionError``."""
