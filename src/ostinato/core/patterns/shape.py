"""A pattern taken apart into what can be looked up by key and what has to be asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ostinato.core.patterns.messages import EVENT
from ostinato.core.patterns.parse import OR, OURS
from ostinato.core.patterns.pattern import Pattern
from ostinato.errors import UsageError

Path = tuple[str, ...]
Equality = tuple[Path, Any]
Equalities = tuple[Equality, ...]


def shape(
    pattern: Mapping[str, Any] | Pattern,
) -> tuple[tuple[Equality, ...], dict[str, Any] | None]:
    """The leaves with a single plain value, sorted by path, and the pattern without them.

    Paths use our names (``data``, ``type``). What stands inside ``$or``, and fields with a dot in
    their name, stay in the rest; the rest is None when nothing is left to ask.
    """
    source = _source(pattern) if isinstance(pattern, Pattern) else pattern
    equalities: list[Equality] = []
    rest = _take(source, (), equalities)
    return tuple(sorted(equalities, key=lambda equality: equality[0])), rest or None


def _source(pattern: Pattern) -> Mapping[str, Any]:
    if pattern.form is not EVENT:
        raise UsageError(f"only an event pattern has a shape, not one for {pattern.form.name}")
    source: Mapping[str, Any] = pattern.source
    return source


def _take(pattern: Mapping[str, Any], path: Path, into: list[Equality]) -> dict[str, Any]:
    rest: dict[str, Any] = {}
    for name, value in pattern.items():
        here = (*path, name) if path else (OURS.get(name, name),)
        if name == OR or "." in name:
            rest[name] = value
        elif isinstance(value, Mapping):
            below = _take(value, here, into)
            rest |= {name: below} if below else {}
        elif is_equality(value):
            into.append((here, value[0]))
        else:
            rest[name] = value
    return rest


def is_equality(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 1 and is_scalar(value[0])


def is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float))
