"""Arguments as PostgreSQL's binary format has them: single values, and arrays for ``unnest``.

A statement's text says the type (``$1::text[]``), so an argument is bytes and nothing else. A value
that has no such form raises what ``faults.BAD_ROW`` lists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from struct import Struct
from typing import Any

Argument = bytes | None

_BOOL, _BYTEA, _INT8, _INT2, _TEXT = 16, 17, 20, 21, 25
_UNHELD = re.compile("[\0\ud800-\udfff]")
_head = Struct(">iiIii").pack  # dimensions, whether some are null, the type, how many, the first
_length = Struct(">i").pack
_int8 = Struct(">q").pack
_sized_int8 = Struct(">iq").pack
_sized_int2 = Struct(">ih").pack
_NULL = _length(-1)
_EMPTY = {kind: Struct(">iiI").pack(0, 0, kind) for kind in (_BOOL, _BYTEA, _INT8, _INT2, _TEXT)}


def text(value: str | None) -> Argument:
    return None if value is None else value.encode()


def sought(value: str | None) -> Argument:
    """Text that is looked for, and not kept: what no row can hold is found in none."""
    return None if value is None else _UNHELD.sub("\uffff", value).encode()


def number(value: int | None) -> Argument:
    return None if value is None else _int8(value)


def raw(value: bytes | None) -> Argument:
    return value


def texts(values: Sequence[str | None]) -> bytes:
    found = [None if value is None else value.encode() for value in values]
    return _array(_TEXT, found, _sized(found))


def soughts(values: Sequence[str]) -> bytes:
    if _UNHELD.search("".join(values)):
        values = [_UNHELD.sub("\uffff", value) for value in values]
    return texts(values)


def raws(values: Sequence[bytes | None]) -> bytes:
    return _array(_BYTEA, values, _sized(values))


def numbers(values: Sequence[int | None]) -> bytes:
    sized = [_NULL if value is None else _sized_int8(8, value) for value in values]
    return _array(_INT8, values, sized)


def shorts(values: Sequence[int]) -> bytes:
    return _array(_INT2, values, [_sized_int2(2, value) for value in values])


def flags(values: Sequence[bool]) -> bytes:
    return _array(_BOOL, values, [b"\0\0\0\1\1" if value else b"\0\0\0\1\0" for value in values])


def _sized(values: Sequence[bytes | None]) -> list[bytes]:
    return [_NULL if value is None else _length(len(value)) + value for value in values]


def _array(kind: int, values: Sequence[Any], sized: Iterable[bytes]) -> bytes:
    if not values:
        return _EMPTY[kind]
    return _head(1, 1 if None in values else 0, kind, len(values), 1) + b"".join(sized)


_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "t": texts, "s": soughts, "b": raws, "i": numbers, "f": flags,
}  # fmt: skip


def columns(kinds: str, rows: Iterable[Sequence[Any]]) -> list[Argument]:
    """One array per column; ``kinds`` has a letter for each: text, text that is
    looked for, bytes, integer, flag."""
    turned: Iterable[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * len(kinds)
    return [_ENCODERS[kind](column) for kind, column in zip(kinds, turned, strict=True)]
