"""JSON to places: strict, with the line and column of every value."""

from __future__ import annotations

import re
from bisect import bisect_left
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]

from ostinato.definitions.source import MAX_DEPTH, Path, Place, number, refused, shown
from ostinato.errors import Problem

__all__ = ["NotJSON", "looks_like_json", "read_json"]

_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z]+|-Infinity")
_WORDS = {"null": None, "true": True, "false": False}
_NO_NUMBER = frozenset({"NaN", "Infinity", "-Infinity"})
_NEWLINE = re.compile("\n")
_START = re.compile(r'\s*\{\s*["}]')


class NotJSON(Exception):
    """The text is not JSON at all; it may still be YAML."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem


def looks_like_json(text: str) -> bool:
    return _START.match(text) is not None


def read_json(text: str) -> Place:
    """The one value in the text; ``NotJSON`` when its form is broken."""
    reading = _Reading(text)
    place = reading.value(reading.skip(0), ())
    if reading.at < len(text):
        raise reading.broken("one value is expected, and here is more")
    if reading.problems:
        raise refused(reading.problems)
    return place


class _Reading:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.problems: list[Problem] = []
        self.newlines = [found.start() for found in _NEWLINE.finditer(text)]

    def skip(self, at: int) -> int:
        found = _SPACE.match(self.text, at)
        self.at = found.end() if found else at
        return self.at

    def place(self, at: int, value: object = None) -> Place:
        line = bisect_left(self.newlines, at)
        start = self.newlines[line - 1] + 1 if line else 0
        return Place(value, line + 1, at - start + 1)

    def broken(self, message: str) -> NotJSON:
        place = self.place(self.at)
        return NotJSON(Problem(f"not JSON: {message}", line=place.line, column=place.column))

    def say(self, place: Place, path: Path, message: str, hint: str = "") -> None:
        self.problems.append(
            Problem(message, shown(path), line=place.line, column=place.column, hint=hint)
        )

    def value(self, at: int, path: Path) -> Place:
        if len(path) > MAX_DEPTH:
            self.say(self.place(at), path[:3], f"nested more than {MAX_DEPTH} levels")
            raise refused(self.problems)
        start = self.text[at : at + 1]
        if start == "{":
            return self._map(at, path)
        if start == "[":
            return self._list(at, path)
        if start == '"':
            place = self.place(at)
            place.value, place.inside = self._text(at, path, place), 1
            return place
        return self._literal(at, path)

    def _map(self, at: int, path: Path) -> Place:
        members: dict[str, Place] = {}
        place = self.place(at, members)
        if self.text[self.skip(at + 1) : self.at + 1] == "}":
            self.skip(self.at + 1)
            return place
        while True:
            if self.text[self.at : self.at + 1] != '"':
                raise self.broken("a key in double quotes is expected")
            key_place = self.place(self.at)
            key = self._text(self.at, path, key_place)
            if self.text[self.at : self.at + 1] != ":":
                raise self.broken("`:` is expected after a key")
            if key in members:
                hint = f"it is already set in line {members[key].line}; keep one of them"
                self.say(key_place, (*path, key), f"the key `{key}` stands here twice", hint)
            members[key] = self.value(self.skip(self.at + 1), (*path, key))
            if self._over("}"):
                return place

    def _list(self, at: int, path: Path) -> Place:
        items: list[Place] = []
        place = self.place(at, items)
        if self.text[self.skip(at + 1) : self.at + 1] == "]":
            self.skip(self.at + 1)
            return place
        while True:
            items.append(self.value(self.at, (*path, len(items))))
            if self._over("]"):
                return place

    def _over(self, closing: str) -> bool:
        char = self.text[self.at : self.at + 1]
        if char not in (",", closing) or not char:
            raise self.broken(f"`,` or `{closing}` is expected")
        self.skip(self.at + 1)
        return char == closing

    def _text(self, at: int, path: Path, place: Place) -> str:
        try:
            text, end = scanstring(self.text, at + 1, True)
        except JSONDecodeError as error:
            self.at = error.pos
            raise self.broken(error.msg) from None
        if any("\ud800" <= char <= "\udfff" for char in text):
            self.say(place, path, "half a character (a lone surrogate)", "write it whole")
        self.skip(end)
        return str(text)

    def _literal(self, at: int, path: Path) -> Place:
        place = self.place(at)
        if found := _NUMBER.match(self.text, at):
            value = number(found[0])
            if isinstance(value, str):
                self.say(place, path, value, "put it in quotes to keep it as text")
            place.value = value
        elif found := _WORD.match(self.text, at):
            if found[0] in _NO_NUMBER:
                self.say(place, path, f"{found[0]} is no number that JSON has", "write null")
            elif found[0] not in _WORDS:
                raise self.broken(f"a value is expected, not {found[0]!r:.40}")
            place.value = _WORDS.get(found[0])
        else:
            raise self.broken("a value is expected")
        self.skip(found.end())
        return place
