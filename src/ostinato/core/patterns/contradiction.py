"""Patterns that read well and that no event of the wanted types can ever fit.

What contradicts itself within one field (an empty range, a field asked for twice) is no pattern at
all; this is about conditions that exclude each other.
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
        found = _wrong_type(leaves, types) or _absent_and_present(leaves)
        if found is None:
            return None
    return found


def _wrong_type(leaves: list[Leaf], types: Sequence[str]) -> str | None:
    for leaf in leaves:
        if canonical(leaf.path) == TYPE and not any(leaf.test and leaf.test(t) for t in types):
            return f"it wants {leaf.name} to be {leaf.wanted}, of {' or '.join(types)}"
    return None


def _absent_and_present(leaves: list[Leaf]) -> str | None:
    """``{"a": [{"exists": false}], "a.b": [1]}``: no a, and a b in it."""
    absent = [_parts(leaf) for leaf in leaves if leaf.test is None]
    for leaf in leaves:
        path = _parts(leaf)
        if leaf.test is not None and any(path[: len(gone)] == gone for gone in absent):
            return f"it wants {leaf.name} to be {leaf.wanted}, and nothing to be there"
    return None


def _parts(leaf: Leaf) -> tuple[str, ...]:
    return tuple(part for name in canonical(leaf.path) for part in name.split("."))
