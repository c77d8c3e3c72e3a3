"""Reading members: what is missing is null, and so is a member of null.

A context, and any map in it, may be a lazy view: it is asked by ``[name]`` and ``.get`` for what
an expression touches, and for nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from ostinato.errors import ExpressionError

from .budget import Budget
from .closures import Context, Run, Slots
from .faults import failure
from .values import kind, text_of

__all__ = ["dynamic", "has_index", "has_member", "member", "slot", "static", "unknown"]


def static(root: str, members: tuple[str, ...]) -> Run:
    """``jobs.build.output.x`` as one closure."""
    if not members:
        return _root(root)

    def run(context: Context, budget: Budget, slots: Slots) -> Any:
        try:
            value = context[root]
        except KeyError:
            raise unknown(root, context) from None
        for name in members:
            value = value.get(name) if type(value) is dict else _member(value, name)
        return value

    return run


def _root(root: str) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> Any:
        try:
            return context[root]
        except KeyError:
            raise unknown(root, context) from None

    return run


def unknown(name: str, context: Context) -> ExpressionError:
    near = get_close_matches(name, map(str, context), n=1, cutoff=0.5)
    known = ", ".join(sorted(map(str, context))) or "none"
    hint = f"did you mean {near[0]!r}?" if near else f"the names here are {known}"
    if name == "now":
        hint = "write now()"
    return failure(f"unknown name {name!r}", hint)


def slot(place: int, members: tuple[str, ...]) -> Run:
    """The same for a variable of ``map`` and its like."""

    def run(context: Context, budget: Budget, slots: Slots) -> Any:
        value = slots[place]
        for name in members:
            value = value.get(name) if type(value) is dict else _member(value, name)
        return value

    return run


def member(target: Run, members: tuple[str, ...]) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> Any:
        value = target(context, budget, slots)
        for name in members:
            value = value.get(name) if type(value) is dict else _member(value, name)
        return value

    return run


def _member(value: Any, name: str) -> Any:
    if value is None:
        return None
    if isinstance(value, Mapping):
        return value.get(name)
    raise failure(f"a {kind(value)} has no member {name!r}", _MEMBER_HINTS.get(kind(value), ""))


_MEMBER_HINTS = {"list": "write list[0] for one item, list.map(x, x.name) for each"}


def dynamic(target: Run, key: Run) -> Run:
    """``a[key]`` where the key is only known when it runs."""

    def run(context: Context, budget: Budget, slots: Slots) -> Any:
        return _indexed(target(context, budget, slots), key(context, budget, slots))

    return run


def _indexed(value: Any, key: Any) -> Any:
    if value is None:
        return None
    shape = kind(value)
    if shape == "list":
        return value[_position(value, key)]
    if shape != "map":
        raise failure(f"a {shape} has no items", _INDEX_HINTS.get(shape, ""))
    if type(key) is not str:
        raise failure(f"the keys of a map are texts, not {kind(key)}")
    return value.get(key)


_INDEX_HINTS = {"text": "split(text, separator) makes a list of a text"}


def _position(value: list[Any], key: Any) -> int:
    if kind(key) != "number" or key != key or key % 1:
        raise failure(f"the index of a list is a whole number, not {_shown(key)}")
    if not 0 <= key < len(value):
        hint = "see size() and has()"
        raise failure(f"index {_shown(key)} is outside a list of {len(value)}", hint)
    return int(key)


def _shown(key: Any) -> str:
    return text_of(key, Budget()) if kind(key) == "number" else kind(key)


def has_member(target: Run, name: str) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> bool:
        value = target(context, budget, slots)
        if value is None or isinstance(value, Mapping):
            return value is not None and name in value
        raise failure(f"a {kind(value)} has no member {name!r}")

    return run


def has_index(target: Run, key: Run) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> bool:
        value, wanted = target(context, budget, slots), key(context, budget, slots)
        if kind(value) == "list":
            return kind(wanted) == "number" and 0 <= wanted < len(value) and not wanted % 1
        if value is None or isinstance(value, Mapping):
            return value is not None and isinstance(wanted, str) and wanted in value
        raise failure(f"a {kind(value)} has no items")

    return run
