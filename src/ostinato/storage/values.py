"""Large values apart from the rows that hold them, so that each is kept once.

A row's JSON is cut: what is larger than ``inline`` leaves ``null`` behind, and its digest is noted
with the place. Equal values have equal digests, wherever they stand: the data of an event, the same
data as the input of its run, and as a member of the arguments of a thousand jobs.

A value is cut where it can be shared: out of ``{"order": …, "index": 3}`` it is the order that is
taken, as long as all else is small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from itertools import repeat
from typing import NamedTuple

import msgspec

from ostinato.errors import Damaged

Span = tuple[int, int]
Hole = tuple[int, bytes]

RECORD = 2
"""A record is a list of facts, and a fact a list of members: neither is a value of a user."""

EVENT = 1
"""An event is a map of its attributes."""

HOLE = b"null"

DEEPEST = 8
"""Levels into which one looks for what can be shared."""

_map = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[msgspec.Raw])
_encoder = msgspec.json.Encoder()


class Cut(NamedTuple):
    """``holes`` are places in ``rest``, with the digest of what belongs there."""

    rest: bytes
    holes: tuple[Hole, ...]
    values: dict[bytes, bytes]


def cut(data: bytes, inline: int, levels: int = 0) -> Cut | None:
    """None when nothing is to be taken out. The outermost ``levels`` are no values themselves."""
    if len(data) <= inline:
        return None
    spans = _spans(data, inline, levels, DEEPEST)
    return _without(data, spans) if spans else None


def joined(rest: bytes, holes: Sequence[Hole], value: Callable[[bytes], bytes | None]) -> bytes:
    """The whole again; ``value`` finds by digest. Raises ``Damaged``."""
    parts, last = [], 0
    for place, digest in holes:
        found = value(digest)
        if found is None:
            raise Damaged(
                f"the value {digest.hex()[:16]}… is missing in the store, though a row refers to "
                "it: something else has written there; bring the store back from a copy"
            )
        parts += [rest[last:place], found]
        last = place + len(HOLE)
    return b"".join([*parts, rest[last:]])


def text_of(holes: Sequence[Hole]) -> str:
    """As a column keeps them."""
    return _encoder.encode([(place, digest.hex()) for place, digest in holes]).decode()


def holes_in(text: str) -> list[Hole]:
    return [(place, bytes.fromhex(digest)) for place, digest in msgspec.json.decode(text)]


def _without(data: bytes, spans: Sequence[Span]) -> Cut:
    parts: list[bytes] = []
    holes: list[Hole] = []
    values: dict[bytes, bytes] = {}
    last = size = 0
    for start, end in spans:
        value = data[start:end]
        digest = sha256(value).digest()
        values[digest] = value
        parts += [data[last:start], HOLE]
        size += start - last
        holes.append((size, digest))
        size += len(HOLE)
        last = end
    return Cut(b"".join([*parts, data[last:]]), tuple(holes), values)


def _spans(data: bytes, inline: int, levels: int, deeper: int) -> list[Span]:
    """What to take out of a text that is too large: parts of it, or all if too much is left."""
    found: list[Span] = []
    for start, end in _large_members(data, inline) if deeper else ():
        inside = _spans(data[start:end], inline, max(0, levels - 1), deeper - 1)
        found += [(start + first, start + last) for first, last in inside]
    left = len(data) - sum(last - first for first, last in found)
    return [(0, len(data))] if levels == 0 and left > inline else found


def _large_members(data: bytes, inline: int) -> list[Span]:
    """Where the members of a map or list stand that are too large.

    Their places are those in JSON without blanks, as we write it; nothing if it is not like that.
    """
    names, members = _members(data)
    if not members or max(map(len, members)) <= inline:
        return []
    heads = [_encoder.encode(name) + b":" for name in names] if names else repeat(b"")
    written = b",".join(
        [head + bytes(member) for head, member in zip(heads, members, strict=False)]
    )
    if data[1:-1] != written:
        return []
    found, place = [], 1
    for head, member in zip(heads, members, strict=False):
        place += len(head)
        if len(member) > inline:
            found.append((place, place + len(member)))
        place += len(member) + 1
    return found


def _members(data: bytes) -> tuple[Sequence[str], Sequence[msgspec.Raw]]:
    """Names and values of a map; no names for a list; neither for all else."""
    try:
        if data[:1] == b"{":
            found = _map.decode(data)
            return list(found), list(found.values())
        return (), _list.decode(data) if data[:1] == b"[" else ()
    except (msgspec.DecodeError, RecursionError):
        return (), ()


# who uses a value: one row each, written and deleted with the row that it is about


def run_owner(run_id: str) -> str:
    return f"run/{run_id}"


def event_owner(number: int) -> str:
    return f"event/{number}"


def out_owner(number: int) -> str:
    return f"out/{number}"


def letter_owner(letter_id: str) -> str:
    return f"letter/{letter_id}"


def reply_owner(scope: str, key: str) -> str:
    return f"reply/{_encoder.encode((scope, key)).decode()}"
