"""The models of several types of events, as the schemas of one document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from ostinato.app.event_types import EventType
from ostinato.app.keys import keys_of

Data = dict[str, Any]

INNER = "#/$defs/"
"""Where a schema of its own has the models inside its model."""

OUTER = "#/components/schemas/"

Model = tuple[str, bytes]
"""A name, and all that is said by it: another model may be called so, too."""


class Schemas:
    """``found`` has them by their keys; a model inside several others is there once."""

    def __init__(self, types: Iterable[EventType[Any]]) -> None:
        self._own: dict[str, Model] = {}
        self._inner: set[Model] = set()
        written = [schema for each in types for schema in self._read(each)]
        wishes = [*self._own.values(), *sorted(self._inner)]
        self._keys = keys_of({model: model[0] for model in wishes})
        self.found = {
            self._keys[model]: _moved(schema, {ref: self._keys[to] for ref, to in refers.items()})
            for model, schema, refers in written
        }

    def key(self, type: EventType[Any]) -> str:
        return self._keys[self._own[type.name]]

    def _read(self, type: EventType[Any]) -> Iterator[tuple[Model, Data, dict[str, Model]]]:
        """Its model and those inside, each with what references mean in it."""
        schema = type.schema()
        parts = schema.pop("$defs", {})
        refers = {INNER + name: (name, _said(part, parts)) for name, part in parts.items()}
        self._own[type.name] = type.name, _said(schema, parts)
        yield self._own[type.name], schema, refers
        for name, part in parts.items():
            self._inner.add(refers[INNER + name])
            yield refers[INNER + name], part, refers


def _said(schema: Data, parts: Mapping[str, Data]) -> bytes:
    """The schema with whatever it refers to: two that say the same are one model."""
    reached: dict[str, Data] = {}
    waiting = [schema]
    while waiting:
        for name in set(_referred(waiting.pop())) & (parts.keys() - reached.keys()):
            reached[name] = parts[name]
            waiting.append(parts[name])
    return msgspec.json.encode([schema, reached], order="sorted")


def _referred(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        to = schema.get("$ref")
        if isinstance(to, str):
            yield to.removeprefix(INNER)
        schema = list(schema.values())
    if isinstance(schema, list):
        for each in schema:
            yield from _referred(each)


def _moved(schema: Any, keys: Mapping[str, str]) -> Any:
    """With the references of JSON Schema where this document has them."""
    if isinstance(schema, dict):
        return {name: _member(name, value, keys) for name, value in schema.items()}
    return [_moved(one, keys) for one in schema] if isinstance(schema, list) else schema


def _member(name: str, value: Any, keys: Mapping[str, str]) -> Any:
    if name == "$ref" and isinstance(value, str) and value in keys:
        return OUTER + keys[value]
    if name == "discriminator" and isinstance(value, dict):
        by = value.get("propertyName")
        if isinstance(by, str):  # AsyncAPI has the name of the member alone, and no mapping
            return by
    return _moved(value, keys)
