"""Keys of the maps in a document, made of names that may hold anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import TypeVar

T = TypeVar("T")

SHORTEST = 6
"""Digits of a hash behind what two would be called."""


def keys_of(wishes: Mapping[T, str]) -> dict[T, str]:
    """A key for each, no two alike: what it wants to be called, as far as a key can be written so.

    Of those that would be called alike, one that is written so already keeps the key, or else the
    first; the others have digits behind it that are made of themselves, so they are the same
    whenever the same names come together.
    """
    found: dict[T, str] = {}
    taken: set[str] = set()
    for name in sorted(wishes, key=lambda name: wishes[name] != _plain(wishes[name])):
        found[name] = _free(_plain(wishes[name]), repr(name), taken)
        taken.add(found[name])
    return found


def _free(key: str, name: str, taken: set[str]) -> str:
    digits = sha256(name.encode()).hexdigest()
    longer = (f"{key}-{digits[:count]}" for count in range(SHORTEST, len(digits)))
    return key if key not in taken else next(each for each in longer if each not in taken)


def _plain(name: str) -> str:
    """As the keys of AsyncAPI's maps are written."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", name)
