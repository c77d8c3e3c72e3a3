"""Values that are more than one word: expressions, templates, patterns, schemas."""

from __future__ import annotations

from functools import partial
from typing import Any

from ostinato.core.cloudevents.event import header_problem
from ostinato.core.durations import parse_duration
from ostinato.core.expressions import Expression, Template, parse_template
from ostinato.core.patterns import Pattern
from ostinato.definitions.input import schema_problems
from ostinato.definitions.reader import Reader, ReadKind
from ostinato.definitions.source import Path, Place, member
from ostinato.errors import DefinitionError

__all__ = ["VALUE_KINDS"]


def _expression(
    reader: Reader, place: Place, path: Path, *, role: str = "value"
) -> Expression | None:
    return reader.expression(place, path, role)


def _instant(reader: Reader, place: Place, path: Path) -> Expression | None:
    """A span of time is no instant, and no expression; whoever writes one means another key."""
    try:
        parse_duration(place.value)
    except DefinitionError:
        return reader.expression(place, path, "instant")
    hint = f"write wait: {place.value}; to give up after so long, timeout: {place.value}"
    reader.say(place, path, f"`until` takes an instant, and {place.value} is a span of time", hint)
    return None


def _condition(reader: Reader, place: Place, path: Path) -> Expression | None:
    if place.value is None:
        reader.wants(place, path, "a condition")
        return None
    return reader.expression(place, path, "condition")


def _output(reader: Reader, place: Place, path: Path) -> Expression | Template | None:
    """One expression, or a map or list in which every text is one."""
    if not isinstance(place.value, dict | list):
        return reader.expression(place, path)
    before = len(reader.problems)
    source = reader.leaves(place, path)
    return parse_template(source) if len(reader.problems) == before else None


def _template(reader: Reader, place: Place, path: Path) -> Template | None:
    return reader.template(place, path)


def _values(reader: Reader, place: Place, path: Path) -> Template | None:
    """A map of values with expressions in them."""
    if isinstance(place.value, dict):
        return reader.template(place, path)
    if isinstance(place.value, str) and place.value.startswith("${"):
        return reader.template(place, path)
    reader.wants(place, path, "a map")
    return None


def _headers(reader: Reader, place: Place, path: Path) -> Template | None:
    """A map of texts whose names CloudEvents takes."""
    if isinstance(place.value, dict):
        for name, member in place.value.items():
            if why := header_problem(name):
                reader.say(member, (*path, name), why, "as traceparent, tenant or shop2")
    return _values(reader, place, path)


def _pattern(reader: Reader, place: Place, path: Path) -> dict[str, Any] | None:
    """An event pattern; ``${…}`` in it counts as the text it is."""
    if not isinstance(place.value, dict):
        reader.wants(place, path, "a pattern, a map,", "data: {member: [value]}")
        return None
    pattern: dict[str, Any] = place.data()
    try:
        Pattern(pattern)
    except DefinitionError as error:
        for problem in error.problems or ():
            reader.say(place, path, str(problem))
        if not error.problems:
            reader.say(place, path, str(error))
        return None
    return pattern


def _json_schema(reader: Reader, place: Place, path: Path) -> dict[str, Any] | None:
    if not isinstance(place.value, dict):
        reader.wants(place, path, "a JSON Schema, a map,", "type: object")
        return None
    schema: dict[str, Any] = place.data()
    before = len(reader.problems)
    for pointer, message in schema_problems(schema):
        at, here = place, path
        for part in pointer:
            if (inner := member(at, part)) is None:
                break
            at, here = inner, (*here, part)
        reader.say(at, here, message)
    return schema if len(reader.problems) == before else None


VALUE_KINDS: dict[str, ReadKind] = {
    "expression": _expression,
    "instant": _instant,
    "list": partial(_expression, role="list"),
    "condition": _condition,
    "output": _output,
    "template": _template,
    "values": _values,
    "headers": _headers,
    "pattern": _pattern,
    "json_schema": _json_schema,
}
