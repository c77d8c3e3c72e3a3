"""All the keys asked of one field: which of them does this value have?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from ostinato.core.patterns.intervals import Intervals
from ostinato.core.patterns.keys import Key, Kind
from ostinato.core.patterns.texts import address

T = TypeVar("T")


class Lookup(Generic[T]):
    """A mapping from keys to items that can be asked by value."""

    __slots__ = ("_constants", "_networks", "_numbers", "_parts", "_present", "_ranges", "_texts")

    def __init__(self) -> None:
        self._texts: dict[str, T] = {}
        self._numbers: dict[Any, T] = {}
        self._constants: dict[Any, T] = {}
        self._parts: dict[Kind, dict[int, dict[str, T]]] = {}
        self._networks: dict[tuple[int, int], dict[int, T]] = {}
        self._ranges: Intervals[T] = Intervals()
        self._present: T | None = None

    def __bool__(self) -> bool:
        return self._present is not None or any(
            (self._texts, self._numbers, self._constants, self._parts, self._networks, self._ranges)
        )

    def get(self, key: Key) -> T | None:
        if key.kind is Kind.PRESENT:
            return self._present
        if key.kind is Kind.RANGE:
            return self._ranges.get(key.value)
        table, name = self._table(key)
        return table.get(name)

    def add(self, key: Key, item: T) -> None:
        if key.kind is Kind.PRESENT:
            self._present = item
        elif key.kind is Kind.RANGE:
            self._ranges.add(key.value, item)
        else:
            table, name = self._table(key)
            table[name] = item

    def remove(self, key: Key) -> None:
        if key.kind is Kind.PRESENT:
            self._present = None
        elif key.kind is Kind.RANGE:
            self._ranges.remove(key.value)
        else:
            table, name = self._table(key)
            del table[name]
            self._tidy(key)

    def _table(self, key: Key) -> tuple[dict[Any, T], Any]:
        """The table that holds the key, and its name there."""
        kind, value = key
        match kind:
            case Kind.TEXT:
                return self._texts, value
            case Kind.NUMBER:
                return self._numbers, value
            case Kind.CONSTANT:
                return self._constants, value
            case Kind.NETWORK:
                version, length, place = value
                return self._networks.setdefault((version, length), {}), place
            case _:
                return self._parts.setdefault(kind, {}).setdefault(len(value), {}), value

    def _tidy(self, key: Key) -> None:
        if key.kind is Kind.NETWORK and not self._networks[key.value[:2]]:
            del self._networks[key.value[:2]]
        lengths = self._parts.get(key.kind)
        if lengths is not None and not lengths[len(key.value)]:
            del lengths[len(key.value)]
            if not lengths:
                del self._parts[key.kind]

    def of_text(self, value: str, items: list[T]) -> None:
        """Adds the items of the keys that this text has, some perhaps more than once."""
        if (item := self._texts.get(value)) is not None:
            items.append(item)
        if self._present is not None:
            items.append(self._present)
        if self._parts:
            items += self._by_part(value)
        if self._networks:
            items += self._by_address(value)

    def of_scalar(self, value: Any, items: list[T]) -> None:
        if isinstance(value, str):
            self.of_text(value, items)
            return
        if self._present is not None:
            items.append(self._present)
        if value is None or value is True or value is False:
            if (item := self._constants.get(value)) is not None:
                items.append(item)
        elif isinstance(value, (int, float)):
            if (item := self._numbers.get(value)) is not None:
                items.append(item)
            if self._ranges:
                items += self._ranges.holding(value)

    def _by_part(self, value: str) -> Iterator[T]:
        for kind, lengths in self._parts.items():
            part = _PARTS[kind]
            for length, table in lengths.items():
                if length <= len(value) and (item := table.get(part(value, length))) is not None:
                    yield item

    def _by_address(self, value: str) -> Iterator[T]:
        found = address(value)
        if found is None:
            return
        number = int(found)
        for (version, length), table in self._networks.items():
            if version == found.version:
                item = table.get(number >> (found.max_prefixlen - length))
                if item is not None:
                    yield item


_PARTS: dict[Kind, Callable[[str, int], str]] = {
    Kind.PREFIX: lambda value, length: value[:length],
    Kind.SUFFIX: lambda value, length: value[-length:],
    Kind.LOWER_PREFIX: lambda value, length: value[:length].lower(),
    Kind.LOWER_SUFFIX: lambda value, length: value[-length:].lower(),
}
