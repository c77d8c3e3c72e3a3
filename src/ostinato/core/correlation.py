"""Waits and early events meet by key: the hash of what both have at the same paths.

A wait's pattern, still with ``${…}`` in it, tells at deployment *which* paths (its shape); when the
wait opens, their values make its key; an event of that type makes the same key from its own data.
An event with an array at such a path has no key, although a pattern would match any of its
elements: who needs that asks the pattern.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from json import dumps
from typing import Any

from ostinato.core.patterns.shape import is_scalar, shape
from ostinato.errors import UsageError

_MISSING: Any = object()


def shape_of(pattern: Mapping[str, Any]) -> tuple[str, ...]:
    """Dotted paths, sorted; a text with ``${…}`` counts as the one value it will become."""
    equalities, _ = shape(pattern)
    return tuple(sorted(".".join(path) for path, _ in equalities))


def key_of_values(paths: Sequence[str], values: Sequence[Any]) -> str:
    key = _key(paths, values)
    if key is None:
        raise UsageError(
            f"a wait can only be found by plain values, not {_culprit(paths, values)}; "
            "a text, a number, true, false or null is needed"
        )
    return key


def key_of_event(paths: Sequence[str], event: Mapping[str, Any]) -> str | None:
    """None when the event has nothing, or no plain value, at one of the paths."""
    return _key(paths, [_value(event, path) for path in paths])


def _key(paths: Sequence[str], values: Sequence[Any]) -> str | None:
    if not all(map(_is_plain, values)):
        return None
    text = dumps([list(paths), [_canonical(value) for value in values]], separators=(",", ":"))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _is_plain(value: Any) -> bool:
    return is_scalar(value) and not (isinstance(value, float) and not math.isfinite(value))


def _canonical(value: Any) -> Any:
    """1.0 and 1 are one number; true is none."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _value(event: Mapping[str, Any], path: str) -> Any:
    value: Any = event
    for name in _names(path):
        value = value.get(name, _MISSING) if isinstance(value, Mapping) else _MISSING
    return value


@lru_cache(maxsize=10_000)
def _names(path: str) -> tuple[str, ...]:
    return tuple(path.split("."))


def _culprit(paths: Sequence[str], values: Sequence[Any]) -> str:
    pairs = zip(paths, values, strict=True)
    path, value = next((p, v) for p, v in pairs if not _is_plain(v))
    return f"{path} = {value!r:.80}"
