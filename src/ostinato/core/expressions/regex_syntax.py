"""The regexes of ``matches``, read into a tree: RE2's syntax without captures and flags.

Whatever would make a search slower than one pass over the text (references, lookaround) is
refused by name, and so is everything unknown: an ignored letter would change what matches.
"""

from __future__ import annotations

from typing import NamedTuple

from ostinato.core.expressions.faults import failure
from ostinato.errors import ExpressionError

__all__ = ["Charset", "Edge", "Either", "Repeat", "Sequence", "Tree", "read"]

_LONGEST = 1_000  # characters of one regex
_MOST = 1_000  # times, in {m,n}
_DEEPEST = 50  # groups inside each other

Ranges = tuple[tuple[str, str], ...]


class Charset(NamedTuple):
    """One character: in one of the ranges, or in none when ``negated``."""

    ranges: Ranges
    negated: bool = False


class Edge(NamedTuple):
    at_start: bool


class Sequence(NamedTuple):
    parts: tuple[Tree, ...]


class Either(NamedTuple):
    ways: tuple[Tree, ...]


class Repeat(NamedTuple):
    part: Tree
    least: int
    most: int | None  # None is without end


Tree = Charset | Edge | Sequence | Either | Repeat

_DIGITS: Ranges = (("0", "9"),)
_WORD: Ranges = (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z"))
_SPACE: Ranges = (("\t", "\r"), (" ", " "))
_SHORT = {"d": _DIGITS, "w": _WORD, "s": _SPACE}
_CONTROL = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a", "0": "\0"}
_HEX = {"x": 2, "u": 4}
_LAST = "\U0010ffff"
_ANY = Charset((("\n", "\n"),), negated=True)

_GROUPS = {
    "?=": "lookahead",
    "?!": "lookahead",
    "?<=": "lookbehind",
    "?<!": "lookbehind",
    "?P=": "a reference to a group",
    "?(": "a condition",
    "?>": "an atomic group",
    "?#": "a comment",
}


def read(pattern: str) -> Tree:
    if len(pattern) > _LONGEST:
        raise failure(f"a regex is longer than {_LONGEST:,} characters")
    reader = _Reader(pattern)
    tree = reader.either()
    if reader.at < len(pattern):
        raise reader.wrong("`)` without `(`", "write \\) for the character")
    return tree


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.depth = 0

    @property
    def next(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def wrong(self, what: str, hint: str = "") -> ExpressionError:
        return failure(f"regex {self.pattern[:60]!r}, column {self.at + 1}: {what}", hint)

    def either(self) -> Tree:
        ways = [self._sequence()]
        while self._took("|"):
            ways.append(self._sequence())
        return ways[0] if len(ways) == 1 else Either(tuple(ways))

    def _sequence(self) -> Tree:
        parts: list[Tree] = []
        while self.next not in ("", "|", ")"):
            parts.append(self._repeated(self._one()))
        return Sequence(tuple(parts))

    def _took(self, sign: str) -> bool:
        found = self.pattern.startswith(sign, self.at)
        self.at += len(sign) if found else 0
        return found

    def _one(self) -> Tree:
        sign = self.next
        if sign in "*+?":
            raise self.wrong(
                f"nothing to repeat before `{sign}`", f"write \\{sign} for the character"
            )
        if sign == "{" and self._bounds() is not None:
            raise self.wrong("nothing to repeat before `{`", "write \\{ for the character")
        self.at += 1
        if sign == "(":
            return self._group()
        if sign == "[":
            return self._class()
        if sign == "\\":
            return self._escaped()
        return _plain(sign)

    def _group(self) -> Tree:
        self._prefix()
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.wrong(f"groups are nested deeper than {_DEEPEST} levels")
        tree = self.either()
        if not self._took(")"):
            raise self.wrong("a group is not closed", "add the missing )")
        self.depth -= 1
        return tree

    def _prefix(self) -> None:
        for prefix, name in _GROUPS.items():
            if self.pattern.startswith(prefix, self.at):
                raise self.wrong(f"{name} is not supported", "matches() runs in linear time")
        if self._took("?:") or not (self._took("?P<") or self._took("?<") or self.next == "?"):
            return
        if self.next == "?":
            raise self.wrong("flags are not supported", "write lower(text), or [aA]")
        end = self.pattern.find(">", self.at)
        if end < 0 or not self.pattern[self.at : end].isidentifier():
            raise self.wrong("a group has no proper name")
        self.at = end + 1

    def _repeated(self, tree: Tree) -> Tree:
        bounds = self._times()
        if bounds is None:
            return tree
        self._took("?")  # lazy or greedy: the same texts match
        if self.next in ("*", "+", "?") or (self.next == "{" and self._bounds() is not None):
            raise self.wrong("a repetition is repeated", "put a group around the first")
        if isinstance(tree, Edge):
            return tree if bounds[0] else Sequence(())
        return Repeat(tree, *bounds)

    def _times(self) -> tuple[int, int | None] | None:
        found = _TIMES.get(self.next)
        if found is not None:
            self.at += 1
            return found
        bounds = self._bounds()
        if bounds is None:
            return None
        least, most, self.at = bounds
        if max(least, most or 0) > _MOST or (most is not None and most < least):
            raise self.wrong(f"{{m,n}} wants m ≤ n ≤ {_MOST:,}")
        return least, most

    def _bounds(self) -> tuple[int, int | None, int] | None:
        """``{2}`` ``{2,}`` ``{2,5}``; a brace that is none of these is a character."""
        end = self.pattern.find("}", self.at) if self.next == "{" else -1
        least, comma, most = self.pattern[self.at + 1 : max(end, 0)].partition(",")
        if end < 0 or not _is_count(least) or (most and not _is_count(most)):
            return None
        upper = (int(most) if most else None) if comma else int(least)
        return int(least), upper, end + 1

    def _escaped(self) -> Tree:
        sign = self.next
        if sign.lower() in _SHORT and sign:
            self.at += 1
            return Charset(_SHORT[sign.lower()], negated=sign.isupper())
        if sign in ("A", "z", "Z"):
            self.at += 1
            return Edge(at_start=sign == "A")
        return _single(self._character())

    def _character(self) -> str:
        sign, self.at = self.next, self.at + 1
        if sign in _CONTROL:
            return _CONTROL[sign]
        if sign in _HEX:
            return self._coded(_HEX[sign])
        if not sign:
            raise self.wrong("a regex ends in a backslash")
        if sign.isascii() and sign.isalnum():
            what = "references to groups are" if sign.isdigit() else f"\\{sign} is"
            raise self.wrong(f"{what} not supported")
        return sign

    def _coded(self, width: int) -> str:
        digits, self.at = self.pattern[self.at : self.at + width], self.at + width
        if len(digits) < width or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
            raise self.wrong(f"wants {width} hexadecimal digits")
        return chr(int(digits, 16))

    def _class(self) -> Tree:
        negated, ranges = self._took("^"), list[tuple[str, str]]()
        start = self.at
        while self.next != "]" or self.at == start:
            if not self.next:
                raise self.wrong("a class is not closed", "add the missing ]")
            if self.pattern.startswith("[:", self.at):
                raise self.wrong("named classes are not supported", "write \\d \\w \\s or ranges")
            ranges.extend(self._member())
        self.at += 1
        return Charset(tuple(ranges), negated)

    def _member(self) -> Ranges:
        low = self._class_character()
        if not isinstance(low, str):
            return low
        if self.next != "-" or self.pattern[self.at + 1 : self.at + 2] in ("]", ""):
            return ((low, low),)
        self.at += 1
        high = self._class_character()
        if not isinstance(high, str) or high < low:
            raise self.wrong("a range runs backwards or ends in a class")
        return ((low, high),)

    def _class_character(self) -> str | Ranges:
        sign = self.next
        self.at += 1
        if sign != "\\":
            return sign
        if self.next and self.next.lower() in _SHORT:
            short, self.at = self.next, self.at + 1
            known = _SHORT[short.lower()]
            return known if short.islower() else _complement(known)
        return self._character()


_TIMES: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 6


def _plain(sign: str) -> Tree:
    if sign == ".":
        return _ANY
    return Edge(at_start=sign == "^") if sign in "^$" else _single(sign)


def _single(sign: str) -> Charset:
    return Charset(((sign, sign),))


def _complement(ranges: Ranges) -> Ranges:
    found, low = [], 0
    for first, last in sorted(ranges):
        if ord(first) > low:
            found.append((chr(low), chr(ord(first) - 1)))
        low = ord(last) + 1
    return (*found, (chr(low), _LAST))
