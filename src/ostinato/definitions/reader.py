"""Reads maps by the table of keys, and collects everything that is wrong on the way.

A reader never stops at the first mistake: what cannot be read is None, the problem is noted, and
``load`` raises them together. It also notes every use of an expression, for ``check``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import Any

from ostinato.core.expressions import Expression, Template, parse, parse_template
from ostinato.definitions.keys import LATER, SECTIONS
from ostinato.definitions.quoting import quoted
from ostinato.definitions.source import MAX_PROBLEMS, Path, Place, refused, shown
from ostinato.errors import ExpressionError, Problem

__all__ = ["ReadKind", "Reader", "Use", "kind_of", "nearest"]


@dataclass(frozen=True, slots=True)
class Use:
    """An expression, or a text with expressions in it, and what it reads of its context."""

    path: Path
    place: Place
    reads: frozenset[tuple[str, ...]]
    expression: Expression | None = None
    role: str = "value"  # or condition, list, instant: what it must give


class Reader:
    def __init__(self, kinds: Mapping[str, ReadKind], lines: list[str]) -> None:
        self.kinds = kinds
        self.lines = lines
        self.problems: list[Problem] = []
        self.uses: list[Use] = []

    def say(self, place: Place, path: Path, message: str, hint: str = "", shift: int = 0) -> None:
        problem = Problem(
            message, shown(path), line=place.line, column=place.column + shift, hint=hint
        )
        self.problems.append(problem)
        if len(self.problems) >= MAX_PROBLEMS:
            raise refused(self.problems)

    def wants(self, place: Place, path: Path, wanted: str, hint: str = "") -> None:
        self.say(place, path, f"{wanted} is expected, not {kind_of(place.value)}", hint)

    def section(self, name: str, place: Place, path: Path) -> dict[str, Any] | None:
        """The members of a map, each read by its kind; those that are absent are not in it."""
        if not isinstance(place.value, dict):
            keys = " ".join(key.name for key in SECTIONS[name])
            self.wants(place, path, "a map", f"its keys: {keys}")
            return None
        members: dict[str, Any] = {}
        known = {key.name: key for key in SECTIONS[name]}
        for written, member in place.value.items():
            here = (*path, written)
            if key := known.get(written):
                members[written] = self.kinds[key.kind](self, member, here)
            elif says := LATER.get(name, {}).get(written):
                self.later(member, here, written, says)
                members[written] = None
            else:
                self.say(member, here, f"unknown key `{written}`", _other(name, written))
        for key in SECTIONS[name]:
            if key.required and key.name not in members:
                self._missing(name, key.name, members, place, path)
        return members

    def _missing(
        self, name: str, key: str, members: dict[str, Any], place: Place, path: Path
    ) -> None:
        if any(written in LATER.get(name, {}) for written in members):
            return  # it stands in for what is missing, and is already told
        self.say(place, path, f"`{key}` is missing")

    def later(self, place: Place, path: Path, what: str, says: str) -> None:
        self.say(place, path, f"not yet: `{what}`", f"{says}; it comes later, take it out for now")

    def items(self, place: Place, path: Path) -> Iterator[tuple[Place, Path]]:
        if not isinstance(place.value, list):
            self.wants(place, path, "a list")
            return
        for index, item in enumerate(place.value):
            yield item, (*path, index)

    def expression(self, place: Place, path: Path, role: str = "value") -> Expression | None:
        text = place.value
        if isinstance(text, bool | int | float) or text is None:
            text = "null" if text is None else str(text).lower()
        if not isinstance(text, str):
            self.wants(place, path, "an expression, a text", self._as_text(place, path))
            return None
        try:
            expression = parse(text)
        except ExpressionError as error:
            self._unreadable(place, path, error)
            return None
        self.uses.append(Use(path, place, expression.paths, expression, role))
        return expression

    def template(self, place: Place, path: Path) -> Template | None:
        """A value whose texts may hold expressions; each text is tried where it stands."""
        before = len(self.problems)
        self._texts(place, path)
        return parse_template(place.data()) if len(self.problems) == before else None

    def _texts(self, place: Place, path: Path) -> None:
        value = place.value
        if isinstance(value, dict):
            for key, member in value.items():
                self._texts(member, (*path, key))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self._texts(item, (*path, index))
        elif isinstance(value, str) and "${" in value:
            try:
                found = parse_template(value)
            except ExpressionError as error:
                self._unreadable(place, path, error)
            else:
                self.uses.append(Use(path, place, found.paths))

    def leaves(self, place: Place, path: Path) -> Any:
        """The value as template source: every text in it is an expression (``output``)."""
        if isinstance(place.value, dict):
            return {key: self.leaves(one, (*path, key)) for key, one in place.value.items()}
        if isinstance(place.value, list):
            return [self.leaves(one, (*path, index)) for index, one in enumerate(place.value)]
        if not isinstance(place.value, str):
            return place.value
        expression = self.expression(place, path)
        return None if expression is None else f"${{ {expression.text} }}"

    def _unreadable(self, place: Place, path: Path, error: ExpressionError) -> None:
        first = error.problems[0] if error.problems else Problem(error.message)
        single = place.inside is not None and first.line <= 1
        shift = (place.inside or 0) + max(first.column - 1, 0) if single else 0
        hint = self._cut_short(place, path) or first.hint
        self.say(place, path, f"{first.message} in `{str(place.value)[:80]}`", hint, shift)

    def _cut_short(self, place: Place, path: Path) -> str:
        """The quoted line, when YAML took the rest of an expression for a comment."""
        line = self.lines[place.line - 1] if place.plain and place.line <= len(self.lines) else ""
        written = line[place.column - 1 :].strip()
        if place.plain and isinstance(place.value, str) and written.startswith(place.value + " #"):
            return f"` #` begins a comment; write {path[-1]}: {quoted(written)}"
        return ""

    def _as_text(self, place: Place, path: Path) -> str:
        """The same list or map, as an expression in quotes."""
        if not isinstance(place.value, list | dict):
            return ""
        text = json.dumps(_value_of(place), ensure_ascii=False)
        return f"write {path[-1]}: {quoted(text)}" if len(text) <= SHORT else ""


SHORT = 60
"""Characters of a value that are worth repeating in a hint."""


def _value_of(place: Place) -> Any:
    if isinstance(place.value, dict):
        return {name: _value_of(member) for name, member in place.value.items()}
    if isinstance(place.value, list):
        return [_value_of(member) for member in place.value]
    return place.value


ReadKind = Callable[[Reader, Place, Path], Any]


def kind_of(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text {value[:40]!r}"
        case dict():
            return "a map"
        case _:
            return "a list"


_MOST_NAMES = 200  # to compare with: each costs microseconds, and so does each unknown name


def nearest(name: str, known: Mapping[str, Any] | list[str]) -> str:
    """A hint that names what was probably meant, or nothing."""
    plain = {_plain(one): one for one in islice(known, _MOST_NAMES)}
    found = get_close_matches(_plain(name), plain, n=1, cutoff=0.6)
    return f"did you mean `{plain[found[0]]}`?" if found else ""


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _other(section: str, written: str) -> str:
    """Where an unknown key belongs, or which of this section's it may have been."""
    keys = [key.name for key in SECTIONS[section]]
    if hint := nearest(written, [*keys, *LATER.get(section, {})]):
        return hint
    for other, rows in SECTIONS.items():
        if any(key.name == written for key in rows):
            return f"`{written}` belongs to {'an' if other == 'emit' else 'a'} {other}"
    return "its keys: " + " ".join(keys)
