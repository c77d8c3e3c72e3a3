"""Many patterns, one event: which fit? It costs about what fits, not what there is."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from itertools import count
from typing import Any, Generic, TypeVar

from ostinato.core.patterns.entry import Entry
from ostinato.core.patterns.messages import EVENT, Form, Message
from ostinato.core.patterns.node import Node
from ostinato.core.patterns.pattern import Pattern
from ostinato.errors import UsageError

Key = TypeVar("Key", bound=Hashable)


class PatternIndex(Generic[Key]):
    """Keys of any kind, each with a pattern; patterns of one form, which the first one decides."""

    def __init__(self) -> None:
        self._orders = count()
        self._entries: dict[Key, list[Entry]] = {}
        self._keys: dict[int, Key] = {}
        self._root = Node(few=1)
        self._form = EVENT

    def add(self, key: Key, pattern: Pattern | Mapping[str, Any]) -> None:
        """A key that is already there gets the new pattern instead of its old one."""
        compiled = pattern if isinstance(pattern, Pattern) else Pattern(pattern)
        self._take(compiled.form)
        self.remove(key)
        order = next(self._orders)
        self._keys[order] = key
        self._entries[key] = [Entry(order, *parts) for parts in compiled.alternatives()]
        for entry in self._entries[key]:
            self._root.add(entry)

    def _take(self, form: Form) -> None:
        if self._entries and form is not self._form:
            raise UsageError(
                f"this index holds patterns for {self._form.name}, this is one for {form.name}: "
                "it needs an index of its own"
            )
        self._form = form

    def remove(self, key: Key) -> None:
        """A key that is not there may be removed too."""
        entries = self._entries.pop(key, [])
        for entry in entries:
            self._root.remove(entry)
            self._keys.pop(entry.order, None)

    def match(self, event: Message) -> list[Key]:
        """The keys whose patterns fit, in the order in which these were added."""
        if not self._entries:
            return []
        fields = self._form.read(event)
        candidates: list[Entry] = []
        self._root.candidates(fields, candidates)
        found = {entry.order for entry in candidates if entry.test(fields)}
        return [self._keys[order] for order in sorted(found)]

    def candidates(self, event: dict[str, Any]) -> list[Entry]:
        """The alternatives that are tested one by one, because nothing has ruled them out."""
        found: list[Entry] = []
        self._root.candidates(event, found)
        return found

    def __len__(self) -> int:
        return len(self._entries)
