"""Many patterns, one event: which fit? Patterns on other types than the event's cost nothing."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from ostinato.core.patterns.compile import scalars
from ostinato.core.patterns.pattern import Pattern

Key = TypeVar("Key", bound=Hashable)

_Bucket = dict[Key, Pattern]


class PatternIndex(Generic[Key]):
    def __init__(self) -> None:
        self._patterns: dict[Key, Pattern] = {}
        self._by_type: dict[str, _Bucket[Key]] = {}
        self._of_any_type: _Bucket[Key] = {}

    def add(self, key: Key, pattern: Pattern | Mapping[str, Any]) -> None:
        """A key that is already there gets the new pattern instead of its old one."""
        compiled = pattern if isinstance(pattern, Pattern) else Pattern(pattern)
        self.remove(key)
        self._patterns[key] = compiled
        for bucket in self._buckets(compiled, create=True):
            bucket[key] = compiled

    def remove(self, key: Key) -> None:
        pattern = self._patterns.pop(key, None)
        if pattern is None:
            return
        for bucket in self._buckets(pattern, create=False):
            del bucket[key]
        for name in pattern.exact_values("type") or ():
            if not self._by_type[name]:
                del self._by_type[name]

    def match(self, event: Mapping[str, Any]) -> list[Key]:
        """Keys of one type in the order they were added, then those that take any type."""
        fields = event if isinstance(event, dict) else dict(event)
        found = {key: None for key, pattern in self._candidates(fields) if pattern.matches(fields)}
        return list(found)

    def _candidates(self, event: dict[str, Any]) -> Iterator[tuple[Key, Pattern]]:
        for name in _types(event):
            yield from self._by_type.get(name, {}).items()
        yield from self._of_any_type.items()

    def _buckets(self, pattern: Pattern, *, create: bool) -> list[_Bucket[Key]]:
        names = pattern.exact_values("type")
        if names is None:
            return [self._of_any_type]
        if create:
            return [self._by_type.setdefault(name, {}) for name in names]
        return [self._by_type[name] for name in names]

    def __len__(self) -> int:
        return len(self._patterns)


def _types(event: dict[str, Any]) -> list[str]:
    found = event.get("type")
    if isinstance(found, str) and "detail-type" not in event:
        return [found]
    values = scalars([found, event.get("detail-type")])
    return [value for value in values if isinstance(value, str)]
