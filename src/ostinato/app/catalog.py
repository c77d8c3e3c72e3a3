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
    """A registry, with an index over its triggers and the shapes of its waits."""

    def __init__(self, registry: Registry[Version]) -> None:
        self.registry = registry
        self._index: PatternIndex[str] = PatternIndex()
        self._triggers: dict[str, Trigger] = {}
        self._types: set[str] = set()
        self._shapes: dict[str, list[tuple[str, ...]]] = {}
        self._waiters: dict[str, set[str]] = {}

    def refresh(self) -> None:
        """After versions were added or retired: index the triggers anew."""
        self._index = PatternIndex()
        self._triggers.clear()
        self._types.clear()
        for row, spec in self.registry.triggers():
            trigger = Trigger(row.workflow, row.version, spec.index, spec.input, spec.uid)
            self._triggers[trigger.name] = trigger
            self._types.update(spec.types)
            pattern: dict[str, Any] = {"type": list(spec.types)} if spec.types else {}
            if spec.pattern:
                pattern = {**spec.pattern, **pattern}
            self._index.add(trigger.name, pattern)

    def learn_waits(self, document: Document) -> None:
        """From now on, events that this version waits for are stored with their keys."""
        for job in document.jobs():
            if isinstance(job.action, WaitEvent):
                for type_ in job.action.types:
                    self._waiters.setdefault(type_, set()).add(document.workflow)
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
        return type in self._types

    def triggers(self, type: str, event: Mapping[str, Any]) -> Sequence[Trigger]:
        if type not in self._types:
            return ()
        return [self._triggers[str(name)] for name in self._index.match(event)]

    def shapes(self, type: str) -> Sequence[tuple[str, ...]]:
        return self._shapes.get(type, ())

    def check_input(self, workflow: str, version: int, value: Any) -> Any:
        return self.registry.input_check(workflow, version)(value)

    def workflows(self) -> Sequence[str]:
        return self.registry.names()

    def waiters(self, type: str) -> Sequence[str]:
        """With those of which nobody knows what they wait for: a version cannot be read."""
        return [*self._waiters.get(type, ()), *self.registry.unreadable_names()]
