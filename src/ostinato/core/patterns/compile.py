"""Leaves → one closure that tells whether an event fits.

The law of arrays, as event-ruler states it: two leaves below the same array of objects must hold
for the same element; an array of scalars fits a leaf when any of its elements does; arrays in
arrays are taken as one. A leaf that wants *no* value looks at the element that the leaves before
it (in the order of names) have settled on, and at all elements when there was none before.

Depth of recursion is the depth of the pattern, which is bounded, never that of the event.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from ostinato.core.patterns.matchers import Test
from ostinato.core.patterns.parse import ALIASES, Leaf

_MISSING: Any = object()

# (field's name, test of its value, test of the object when it has no such field)
_Step = tuple[str, Test, Test]


def compiled(leaves: list[Leaf]) -> Test:
    return _Compiler().object(leaves, top=True)


def scalars(array: Any) -> Iterator[Any]:
    """What is neither array nor object, at any depth of arrays."""
    stack = [iter(array)]
    while stack:
        for value in stack[-1]:
            if isinstance(value, (list, tuple)):
                stack.append(iter(value))
                break
            if not isinstance(value, dict):
                yield value
        else:
            stack.pop()


def objects(array: Any) -> Iterator[dict[str, Any]]:
    stack = [iter(array)]
    while stack:
        for value in stack[-1]:
            if isinstance(value, (list, tuple)):
                stack.append(iter(value))
                break
            if isinstance(value, dict):
                yield value
        else:
            stack.pop()


class _Compiler:
    """Remembers what it built: the same leaves are asked for in two ways below an absence, and
    below each dotted name, so without that a pattern would be built 2^depth times.

    The paths of leaves are what is left of them: leaves that are reached in two ways are equal.
    """

    def __init__(self) -> None:
        self._built: dict[tuple[bool, tuple[Leaf, ...]], Test] = {}

    def object(self, leaves: list[Leaf], *, top: bool = False) -> Test:
        key = top, tuple(leaves)
        if key not in self._built:
            self._built[key] = self._object(leaves, top)
        return self._built[key]

    def _object(self, leaves: list[Leaf], top: bool) -> Test:
        fields = _fields(self._steps(leaves, top))
        before = list(takewhile(lambda leaf: leaf.test is None, leaves))
        if len(before) == len(leaves):
            return _nowhere(fields)
        if not before:
            return _somewhere(fields, fields, None)
        rest = self._steps(leaves[len(before) :], top)
        return _somewhere(fields, _fields(rest), self.object(before, top=top))

    def _steps(self, leaves: list[Leaf], top: bool) -> list[_Step]:
        groups: dict[str, list[Leaf]] = {}
        for leaf in leaves:
            groups.setdefault(leaf.path[0], []).append(leaf)
        return [self._step(name, group, top) for name, group in groups.items()]

    def _step(self, name: str, leaves: list[Leaf], top: bool) -> _Step:
        value = self._value([leaf._replace(path=leaf.path[1:]) for leaf in leaves])
        unless = _always if all(leaf.test is None for leaf in leaves) else _never
        if top and name in ALIASES:
            return name, value, _under(ALIASES[name], value, unless)
        if "." in name and all(name.split(".")):
            return name, value, self.object([_apart(leaf) for leaf in leaves], top=top)
        return name, value, unless

    def _value(self, leaves: list[Leaf]) -> Test:
        tests = [_scalar(leaf.test) for leaf in leaves if not leaf.path]
        below = [leaf for leaf in leaves if leaf.path]
        if below:
            tests.append(self.object(below))
        if len(tests) == 1:
            return tests[0]
        return lambda value: all(test(value) for test in tests)


def _apart(leaf: Leaf) -> Leaf:
    """``{"a.b": …}`` also means ``{"a": {"b": …}}``, where the event has no field ``a.b``."""
    return leaf._replace(path=(*leaf.path[0].split("."), *leaf.path[1:]))


def _always(fields: Any) -> bool:
    return True


def _never(fields: Any) -> bool:
    return False


def _under(name: str, value: Test, unless: Test) -> Test:
    return lambda fields: value(fields[name]) if name in fields else unless(fields)


def _fields(steps: list[_Step]) -> Test:
    if len(steps) == 1:
        return _field(*steps[0])

    def test(fields: Any) -> bool:
        for name, value, missing in steps:
            found = fields.get(name, _MISSING)
            if not (missing(fields) if found is _MISSING else value(found)):
                return False
        return True

    return test


def _field(name: str, value: Test, missing: Test) -> Test:
    def test(fields: Any) -> bool:
        found = fields.get(name, _MISSING)
        return missing(fields) if found is _MISSING else value(found)

    return test


def _somewhere(fields: Test, in_element: Test, before: Test | None) -> Test:
    def test(value: Any) -> bool:
        if isinstance(value, dict):
            return fields(value)
        if not isinstance(value, (list, tuple)):
            return False
        if before is not None and not before(value):
            return False
        return any(in_element(element) for element in objects(value))

    return test


def _nowhere(fields: Test) -> Test:
    def test(value: Any) -> bool:
        if isinstance(value, dict):
            return fields(value)
        if isinstance(value, (list, tuple)):
            return all(fields(element) for element in objects(value))
        return True

    return test


def _scalar(wanted: Test | None) -> Test:
    if wanted is None:
        return _no_scalar

    def test(value: Any) -> bool:
        if isinstance(value, (list, tuple)):
            return any(wanted(one) for one in scalars(value))
        return not isinstance(value, dict) and wanted(value)

    return test


def _no_scalar(value: Any) -> bool:
    """An object, or an array without scalars, is no value: ``exists`` asks for leaves only."""
    if isinstance(value, (list, tuple)):
        return next(scalars(value), _MISSING) is _MISSING
    return isinstance(value, dict)
