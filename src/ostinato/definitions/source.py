"""A document as written: values that know their line and column.

Law: nothing later than this page looks at text. YAML and JSON become the same tree of places, and
what is said about a document points into it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ostinato.errors import DefinitionError, Problem

__all__ = [
    "MAX_ALIASES",
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_PROBLEMS",
    "MAX_VALUES",
    "Path",
    "Place",
    "decoded",
    "member",
    "refused",
    "shown",
    "too_long",
]

MAX_BYTES = 1 << 20
MAX_DEPTH = 100
MAX_ALIASES = 100
MAX_VALUES = 100_000
MAX_PROBLEMS = 200  # after so many nobody reads on, and looking for more is work for nothing
LONGEST_NUMBER = 400  # characters; beyond it reading one is work for nothing
_LARGEST = 2**53  # beyond it a JSON number is no longer exact everywhere

Path = tuple[str | int, ...]

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufffe\uffff]")
_WORD = re.compile(r"[A-Za-z_$][\w$-]*")


@dataclass(slots=True, eq=False)
class Place:
    """``value`` is a dict of places, a list of places, or a scalar; line and column count from 1.

    ``inside`` is how far the text of a scalar begins after its place (1 behind a quote), None when
    it stands on lines of its own. ``size`` and ``depth`` count what is below, aliases written out.
    """

    value: Any
    line: int
    column: int
    inside: int | None = 0
    plain: bool = False
    size: int = 1
    depth: int = 0

    def data(self) -> Any:
        if isinstance(self.value, dict):
            return {key: place.data() for key, place in self.value.items()}
        if isinstance(self.value, list):
            return [place.data() for place in self.value]
        return self.value


def member(place: Place, part: str | int) -> Place | None:
    value = place.value
    if isinstance(value, dict):
        found: Place | None = value.get(part)
        return found
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return value[part]  # type: ignore[no-any-return]
    return None


def shown(path: Path) -> str:
    """``phases[0].jobs[1].with.tier``"""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _WORD.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{part!r}]"
    return text


def refused(problems: list[Problem]) -> DefinitionError:
    first, more = problems[0], len(problems) - 1
    where = f"line {first.line}: " if first.line else ""
    return DefinitionError(
        f"{where}{first}" + (f", and {more} more" if more else ""), problems=tuple(problems)
    )


def too_long(size: int, limit: int) -> DefinitionError:
    says = f"the document has {size:,} bytes, at most {limit:,} are taken (limits.document)"
    hint = "large data belongs in the input, or behind a link"
    return refused([Problem(says, line=1, column=1, hint=hint)])


def decoded(text: str | bytes, limit: int) -> str:
    """The text, when it is UTF-8, within the limit, and without control characters."""
    if len(text) > limit:
        raise too_long(len(text), limit)
    if isinstance(text, bytes):
        text = _utf8(text)
    text = text.removeprefix("\ufeff")
    if found := _CONTROL.search(text):
        name = f"U+{ord(found[0]):04X}"
        raise refused([_at(text, found.start(), f"a control character, {name}", "take it out")])
    return text


def _utf8(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        before = text[: error.start].decode()
        message = f"not UTF-8: byte 0x{text[error.start]:02X} does not fit"
        raise refused([_at(before, len(before), message, "save the file as UTF-8")]) from None


def _at(text: str, index: int, message: str, hint: str) -> Problem:
    line, column = text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)
    return Problem(message, line=line, column=column, hint=hint)


def number(text: str) -> int | float | str:
    """The number, or what is wrong with it."""
    if len(text) > LONGEST_NUMBER:
        return f"a number of {len(text)} characters"
    if re.fullmatch(r"[-+]?[0-9]+", text):
        whole = int(text)
        return whole if abs(whole) <= _LARGEST else f"{text} is beyond 2^53 and would lose digits"
    broken = float(text)
    return broken if abs(broken) != float("inf") else f"{text} is too large for a number"
