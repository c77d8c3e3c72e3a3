"""The deployed workflows, as the engine asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ostinato.core.graph import Graph
from ostinato.core.model import WaitEvent
from ostinato.core.patterns import PatternIndex
from ostinato.core.triggers import Trigger
from ostinato.definitions.document import Document
from ostinato.definitions.registry import Registry
from ostinato.ports import Version


class DeployedWorkflows:
    """A registry, with an index over its triggers, by type, and the shapes of its waits.

    A trigger's pattern is asked as it was written, beside the type: it may ask for one itself.
    """

    def __init__(self, registry: Registry[Version]) -> None:
        self.registry = registry
        self._triggers: dict[str, Trigger] = {}
        self._listening: dict[str, PatternIndex[str]] = {}
        self._shapes: dict[str, list[tuple[str, ...]]] = {}

    def refresh(self) -> None:
        """After versions were added or retired: index the triggers anew."""
        self._triggers.clear()
        self._listening.clear()
        for row, spec in self.registry.triggers():
            trigger = Trigger(row.workflow, row.version, spec.index, spec.input, spec.uid)
            self._triggers[trigger.name] = trigger
            for type_ in spec.types:
                index = self._listening.setdefault(type_, PatternIndex())
                index.add(trigger.name, spec.pattern or {"type": [type_]})

    def learn_waits(self, document: Document) -> None:
        """From now on, events that this version waits for are stored with their keys."""
        for job in document.jobs():
            if isinstance(job.action, WaitEvent):
                for type_ in job.action.types:
                    shapes = self._shapes.setdefault(type_, [])
                    if job.action.paths not in shapes:
                        shapes.append(job.action.paths)

    # what the engine asks

    def graph(self, workflow: str, version: int) -> Graph:
        return self.registry.graph(workflow, version)

    def resolve(self, name: str, version: int | None = None) -> tuple[str, int]:
        row = self.registry.find(name, version)
        return row.workflow, row.version

    def listens(self, type: str) -> bool:
        return type in self._listening

    def triggers(self, type: str, event: Mapping[str, Any]) -> Sequence[Trigger]:
        index = self._listening.get(type)
        return [self._triggers[name] for name in index.match(event)] if index else ()

    def shapes(self, type: str) -> Sequence[tuple[str, ...]]:
        return self._shapes.get(type, ())

    def check_input(self, workflow: str, version: int, value: Any) -> Any:
        return self.registry.input_check(workflow, version)(value)
