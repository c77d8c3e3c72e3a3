"""What a run is started with: checked against ``input_schema``, defaults filled in.

Defaults come first, so that a required member with a default need not be given. They are filled
through ``properties``, ``items``, ``prefixItems``, ``allOf`` and local ``$ref``; not below
``anyOf``, ``oneOf`` or ``if``, where it is open which branch is meant. Nothing is fetched, and
patterns are matched in linear time.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import jsonschema_rs

from ostinato.errors import DefinitionError, InvalidInput, Problem

__all__ = ["input_check", "schema_problems"]

_MOST = 100  # problems that are told of one input
_MOST_DEFAULTS = 10_000
_LONGEST = 300

Check = Callable[[Any], Any]


def input_check(schema: Mapping[str, Any] | None) -> Check:
    """A function that gives the input with its defaults, or raises ``InvalidInput``."""
    if not schema:
        return lambda value: value
    validator = _validator(dict(schema))
    fills = _has_default(schema)

    def check(value: Any) -> Any:
        try:
            if fills:
                value = _Defaults(schema).fill(schema, value)
        except RecursionError:
            raise InvalidInput("the input and its defaults are nested too deeply") from None
        problems = [_problem(error) for error in islice(_errors(validator, value), _MOST)]
        if problems:
            more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
            raise InvalidInput(
                f"the input does not fit: {problems[0]}{more}", problems=tuple(problems)
            )
        return value

    return check


def schema_problems(schema: Mapping[str, Any]) -> list[tuple[list[str | int], str]]:
    """What is wrong with a schema: where in it, and what."""
    try:
        _validator(dict(schema))
    except DefinitionError as error:
        return [(error.details.get("pointer", []), error.message)]
    return []


def _validator(schema: dict[str, Any]) -> Any:
    try:
        return jsonschema_rs.validator_for(
            schema, retriever=_fetch_nothing, pattern_options=jsonschema_rs.RegexOptions()
        )
    except jsonschema_rs.ValidationError as error:
        pointer = list(error.instance_path)
        raise DefinitionError(
            f"not a JSON Schema: {_cut(error.message)}", pointer=pointer
        ) from None
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise DefinitionError(f"not a JSON Schema: {_cut(str(error))}") from None


def _fetch_nothing(uri: str) -> Any:
    raise ValueError(f"{uri} is not fetched; put it under $defs")


def _errors(validator: Any, value: Any) -> Iterator[Any]:
    try:
        yield from validator.iter_errors(value)
    except ValueError as error:  # what JSON cannot hold: a set, NaN, a number beyond 64 bits
        raise InvalidInput(f"the input is not JSON: {error}") from None


def _problem(error: Any) -> Problem:
    return Problem(_cut(error.message), _pointer(error.instance_path))


def _pointer(path: list[str | int]) -> str:
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}…{text[-_LONGEST // 2 :]}"


def _has_default(schema: Any) -> bool:
    if isinstance(schema, Mapping):
        return "default" in schema or any(_has_default(one) for one in schema.values())
    return isinstance(schema, list) and any(_has_default(one) for one in schema)


class _Defaults:
    """Fills a copy; parts without anything to fill stay the caller's own objects.

    A schema is applied once to a value, and what defaults add is bounded: both keep a schema that
    leads back to itself from running for ever.
    """

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root = root
        self.left = _MOST_DEFAULTS

    def fill(self, schema: Any, value: Any) -> Any:
        for part in self._parts(schema):
            if isinstance(value, dict):
                value = self._members(part, value)
            elif isinstance(value, list):
                value = self._items(part, value)
        return value

    def _parts(self, schema: Any) -> Iterator[Mapping[str, Any]]:
        """The schema, and those it applies to the same value."""
        seen: set[int] = set()
        todo = [schema]
        while todo:
            part = todo.pop()
            if not isinstance(part, Mapping) or id(part) in seen:
                continue
            seen.add(id(part))
            yield part
            todo += part.get("allOf") or ()
            if "$ref" in part:
                todo.append(resolved(self.root, part["$ref"]))

    def _members(self, schema: Mapping[str, Any], value: dict[str, Any]) -> dict[str, Any]:
        filled = dict(value)
        for name, part in (schema.get("properties") or {}).items():
            if name in filled:
                filled[name] = self.fill(part, filled[name])
            elif (found := self._default(part)) is not None:
                filled[name] = self.fill(part, copy.deepcopy(found[0]))
        return filled

    def _default(self, schema: Any) -> tuple[Any] | None:
        for part in self._parts(schema):
            if "default" in part:
                self.left -= 1
                if self.left < 0:
                    raise InvalidInput(f"input_schema adds more than {_MOST_DEFAULTS:,} defaults")
                return (part["default"],)
        return None

    def _items(self, schema: Mapping[str, Any], value: list[Any]) -> list[Any]:
        first = schema.get("prefixItems") or []
        rest = schema.get("items")
        return [
            self.fill(first[index] if index < len(first) else rest, item)
            for index, item in enumerate(value)
        ]


def resolved(root: Mapping[str, Any], ref: Any) -> Any:
    """What a local ``$ref`` such as ``#/$defs/plan`` points to; None for any other."""
    if not isinstance(ref, str) or not ref.startswith("#"):
        return None
    at: Any = root
    for part in ref[1:].split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        at = at.get(name) if isinstance(at, Mapping) else None
    return at
