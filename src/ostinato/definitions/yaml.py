"""YAML to places: the 1.2 core schema, and nothing that surprises.

Only the library's events are used: what is a number and what is text is decided here, so ``on``,
``no``, dates and ``1:30`` are text. Tags, merge keys, doubled keys, aliases into themselves or by
the hundred are errors. Events come one by one, so a bomb is refused before it is built.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from ostinato.definitions.quoting import quoted, quoted_line
from ostinato.definitions.source import (
    MAX_ALIASES,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_PROBLEMS,
    MAX_VALUES,
    Path,
    Place,
    number,
    refused,
    shown,
)
from ostinato.errors import Problem

__all__ = ["read_yaml"]

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {
    word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")
}
_NUMBER = re.compile(r"[-+]?(?:[0-9]+|(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_ANCHOR = re.compile(r"[\w-]+")


def read_yaml(text: str) -> list[Place]:
    """Every document in the text that is not empty."""
    return _Reading(text).documents()


class _Open:
    """A map or list whose end has not come; ``key`` waits for its value."""

    __slots__ = ("anchor", "key", "place")

    def __init__(self, place: Place, anchor: str | None) -> None:
        self.place = place
        self.anchor = anchor
        self.key: str | None = None


class _Reading:
    def __init__(self, text: str) -> None:
        self.text = text
        self.lines: list[str] | None = None
        self.problems: list[Problem] = []
        self.found: list[Place] = []
        self.open: list[_Open] = []
        self.anchors: dict[str, Place | None] = {}
        self.aliases = 0
        self.values = 0

    def documents(self) -> list[Place]:
        try:
            for event in self._events():
                self._take(event)
        except RecursionError:  # the scanner's own limit, should ours ever miss
            self._say(Place(None, 1, 1), "nested too deeply")
        if self.problems:
            raise refused(self.problems)
        return [place for place in self.found if place.value is not None]

    def _events(self) -> Iterator[Any]:
        try:
            yield from YAML(typ="safe", pure=True).parse(self.text)
        except MarkedYAMLError as error:
            self._syntax(error)
        except (YAMLError, ValueError, OverflowError) as error:
            self._say(Place(None, 1, 1), f"not YAML: {str(error).splitlines()[0]}")

    def _syntax(self, error: MarkedYAMLError) -> None:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        hint = "indent with spaces, not tabs"
        if not self._line(line).lstrip(" ").startswith("\t"):
            hint = self._quoted_line(line, column)
        what = ": ".join(str(part) for part in (error.context, error.problem) if part)
        place = Place(None, line + 1, column + 1)
        self._say(place, f"not YAML: {what or 'cannot be read'}", hint)

    def _line(self, line: int) -> str:
        if self.lines is None:
            self.lines = self.text.splitlines()
        return self.lines[line] if line < len(self.lines) else ""

    def _quoted_line(self, line: int, column: int) -> str:
        return quoted_line(self._line(line), column)

    def _say(self, place: Place, message: str, hint: str = "") -> None:
        where = shown(self._path())
        self.problems.append(
            Problem(message, where, line=place.line, column=place.column, hint=hint)
        )
        if len(self.problems) >= MAX_PROBLEMS:
            raise refused(self.problems)

    def _path(self) -> Path:
        path: list[str | int] = []
        for one in self.open:
            if isinstance(one.place.value, list):
                path.append(len(one.place.value))
            elif one.key is not None:
                path.append(one.key)
        return tuple(path)

    def _take(self, event: Any) -> None:
        if isinstance(event, ScalarEvent):
            self._scalar(event)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            self._begin(event)
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            self._end()
        elif isinstance(event, AliasEvent):
            self._alias(event)
        elif isinstance(event, DocumentStartEvent):
            self._document(event)

    def _document(self, event: DocumentStartEvent) -> None:
        self.anchors, self.aliases = {}, 0
        version = event.version
        if version is not None and tuple(version) != (1, 2):
            written = ".".join(map(str, version))
            self._say(_place(event), f"%YAML {written}", "documents are YAML 1.2; take it out")

    def _begin(self, event: Any) -> None:
        place = _place(event, {} if isinstance(event, MappingStartEvent) else [])
        if len(self.open) >= MAX_DEPTH:
            self._say(place, f"nested more than {MAX_DEPTH} levels", "keep documents flat")
            raise refused(self.problems)
        self._refuse_tag(event, place)
        anchor = self._anchor(event, place)
        if anchor:
            self.anchors[anchor] = None  # known, but not whole: an alias to it here is a circle
        self.open.append(_Open(place, anchor))

    def _end(self) -> None:
        done = self.open.pop()
        below = done.place.value
        places = list(below.values()) if isinstance(below, dict) else below
        done.place.depth = 1 + max((place.depth for place in places), default=0)
        done.place.size = 1 + sum(place.size for place in places)
        if isinstance(below, dict):
            done.place.size += sum(map(len, below))
        if done.anchor:
            self.anchors[done.anchor] = done.place
        self._put(done.place)

    def _scalar(self, event: ScalarEvent) -> None:
        place = _place(event, event.value)
        place.plain = event.style is None
        place.inside = {None: 0, "'": 1, '"': 1}.get(event.style)
        place.size = 1 + len(event.value)
        anchor = self._anchor(event, place)
        tagged = self._refuse_tag(event, place)
        is_key = bool(self.open) and self._wants_key()
        if place.plain and not is_key and not tagged:
            self._resolve(place, event.value)
        if not place.plain and any("\ud800" <= char <= "\udfff" for char in event.value):
            self._say(place, "half a character (a lone surrogate)", "write the whole character")
        if anchor:
            self.anchors[anchor] = place
        self._put(place)

    def _resolve(self, place: Place, text: str) -> None:
        if text in _NULL:
            place.value = None
        elif text in _BOOL:
            place.value = _BOOL[text]
        elif _NUMBER.fullmatch(text):
            self._number(place, number(text))
        elif _BASED.fullmatch(text):
            self._number(
                place, number(str(int(text, 0))) if len(text) < 99 else "too long a number"
            )
        elif _NO_NUMBER.fullmatch(text):
            self._say(place, f"{text} is no number that JSON has", f"as text: {quoted(text)}")

    def _number(self, place: Place, value: int | float | str) -> None:
        if isinstance(value, str):
            self._say(place, value, "put it in quotes to keep it as text")
        place.value = value

    def _alias(self, event: AliasEvent) -> None:
        place, name = _place(event), str(event.anchor)
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            self._say(place, f"more than {MAX_ALIASES} aliases", "write the values out")
            raise refused(self.problems)
        if name not in self.anchors:
            line = self._quoted_line(place.line - 1, place.column)
            self._say(place, f"*{name} has no anchor &{name} before it", line)
        elif (target := self.anchors[name]) is None:
            self._say(place, f"*{name} stands inside &{name} itself", "write the value out")
        else:
            self._reuse(place, target)
            return
        self._put(place)

    def _reuse(self, place: Place, target: Place) -> None:
        if len(self.open) + target.depth > MAX_DEPTH:
            self._say(place, f"nested more than {MAX_DEPTH} levels by an alias")
            raise refused(self.problems)
        if target.size + sum(_size(one.place) for one in self.open) > MAX_BYTES:
            self._say(place, "the aliases blow the document up", "write the values out")
            raise refused(self.problems)
        self._put(target, place)

    def _put(self, place: Place, at: Place | None = None) -> None:
        self.values += 1
        if self.values > MAX_VALUES:
            hint = "large data belongs in the input, or behind a link"
            self._say(place, f"more than {MAX_VALUES:,} values", hint)
            raise refused(self.problems)
        if not self.open:
            self.found.append(place)
            return
        into = self.open[-1]
        if isinstance(into.place.value, list):
            into.place.value.append(place)
        elif into.key is None:
            into.key = self._key(place, at or place)
        else:
            into.place.value[into.key] = place
            into.key = None

    def _key(self, place: Place, at: Place) -> str:
        key = place.value
        if not isinstance(key, str):
            self._say(at, "a key is a text", "write name: value")
            return f"?{at.line}:{at.column}"
        if key == "<<" and place.plain:
            self._say(at, "`<<` merges no maps in YAML 1.2", "write the members out")
        elif key in self.open[-1].place.value:
            first = self.open[-1].place.value[key]
            hint = f"it is already set around line {first.line}; keep one of them"
            self._say(at, f"the key `{key}` stands here twice", hint)
        return key

    def _wants_key(self) -> bool:
        top = self.open[-1]
        return isinstance(top.place.value, dict) and top.key is None

    def _anchor(self, event: Any, place: Place) -> str | None:
        if event.anchor is None:
            return None
        name = str(event.anchor)
        if not _ANCHOR.fullmatch(name):
            hint = self._quoted_line(place.line - 1, place.column)
            self._say(place, f"`&{name}` is an anchor in YAML", hint)
        return name

    def _refuse_tag(self, event: Any, place: Place) -> bool:
        tag = None if event.tag is None else str(event.tag)
        if tag is None:
            return False
        written = tag.replace("tag:yaml.org,2002:", "!!")
        hint = "take it out; a value is what it looks like"
        if not written.startswith("!!"):
            hint = self._quoted_line(place.line - 1, place.column) or hint
        self._say(place, f"`{written}` is a YAML tag, and documents have none", hint)
        return True


def _place(event: Any, value: Any = None) -> Place:
    mark = event.start_mark
    return Place(value, mark.line + 1, mark.column + 1)


def _size(place: Place) -> int:
    below = place.value.values() if isinstance(place.value, dict) else place.value
    return sum(one.size for one in below)
