"""The paths at which a set of keys is asked for, as a tree; an event is walked along it once.

Only what the tree and the event both have is looked at, so neither many paths nor a large event
cost anything by themselves.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from ostinato.core.patterns.compile import objects, scalars
from ostinato.core.patterns.keys import Key
from ostinato.core.patterns.lookup import Lookup
from ostinato.core.patterns.parse import ALIASES, OURS

T = TypeVar("T")
Path = tuple[str, ...]


class Trail(Generic[T]):
    """A mapping from (path, key) to items. Paths use our names (``data``, ``type``)."""

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root: _Step[T] = _Step()

    def get(self, path: Path, key: Key) -> T | None:
        step: _Step[T] | None = self._root
        for name in path:
            step = step.steps.get(name) if step else None
        return step.lookup.get(key) if step and step.lookup else None

    def add(self, path: Path, key: Key, item: T) -> None:
        step = self._root
        for name in path:
            step = step.steps.setdefault(name, _Step())
        if step.lookup is None:
            step.lookup = Lookup()
        step.lookup.add(key, item)

    def remove(self, path: Path, key: Key) -> None:
        way = [self._root]
        for name in path:
            way.append(way[-1].steps[name])
        lookup = way[-1].lookup
        if lookup is not None:
            lookup.remove(key)
            way[-1].lookup = lookup or None
        for name, holder, step in zip(reversed(path), way[-2::-1], way[:0:-1], strict=True):
            if not (step.steps or step.lookup):
                del holder.steps[name]

    def found(self, event: dict[str, Any]) -> list[T]:
        """The items whose key the event has at their path; one may come more than once."""
        items: list[T] = []
        steps = self._root.steps
        if len(event) < len(steps):
            for name in event:
                step = steps.get(OURS.get(name, name))
                if step is not None:
                    step.collect(event[name], items)
            return items
        for name, step in steps.items():
            if name in event:
                step.collect(event[name], items)
            if name in ALIASES and ALIASES[name] in event:
                step.collect(event[ALIASES[name]], items)
        return items


class _Step(Generic[T]):
    __slots__ = ("lookup", "steps")

    def __init__(self) -> None:
        self.steps: dict[str, _Step[T]] = {}
        self.lookup: Lookup[T] | None = None

    def collect(self, value: Any, items: list[T]) -> None:
        lookup = self.lookup
        if isinstance(value, str):
            if lookup is not None:
                lookup.of_text(value, items)
        elif isinstance(value, dict):
            if self.steps:
                self._below(value, items)
        elif isinstance(value, (list, tuple)):
            self._array(value, items)
        elif lookup is not None:
            lookup.of_scalar(value, items)

    def _array(self, array: Any, items: list[T]) -> None:
        if self.lookup is not None:
            for value in scalars(array):
                self.lookup.of_scalar(value, items)
        if self.steps:
            for fields in objects(array):
                self._below(fields, items)

    def _below(self, fields: dict[str, Any], items: list[T]) -> None:
        steps = self.steps
        if len(fields) < len(steps):
            for name, value in fields.items():
                step = steps.get(name)
                if step is not None:
                    step.collect(value, items)
        else:
            for name, step in steps.items():
                if name in fields:
                    step.collect(fields[name], items)
