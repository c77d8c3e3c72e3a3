"""Patterns that read well and that no event of the wanted types can ever fit.

What contradicts itself within one field (an empty range, a field asked for twice) is no pattern at
all. Two fields never exclude each other: not even an absent ``a`` and ``a.b``, for an object is no
value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ostinato.core.patterns.parse import Leaf, canonical, parse

TYPE = ("type",)


def contradiction(pattern: Mapping[str, Any], types: Sequence[str]) -> str | None:
    """Why no event of these types fits ``pattern``; None when one may.

    Raises ``PatternError``.
    """
    found: str | None = None
    for leaves in parse(pattern):
        found = _wrong_type(leaves, types)
        if found is None:
            return None
    return found


def _wrong_type(leaves: list[Leaf], types: Sequence[str]) -> str | None:
    for leaf in leaves:
        if canonical(leaf.path) == TYPE and not any(leaf.test and leaf.test(t) for t in types):
            return f"it wants {leaf.name} to be {leaf.wanted}, of {' or '.join(types)}"
    return None
