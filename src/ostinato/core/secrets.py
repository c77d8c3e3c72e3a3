"""Secrets in a run: what is recorded is where one belongs, never the secret itself.

``secrets.NAME`` gives a mark. Whoever does the job puts the secret in its place for the time of the
attempt. A mark holds a code that is made of the run's seed, so no text of a user can pass for one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw

from ostinato.core.outputs import Members
from ostinato.core.state import State

OPEN, CLOSE = "\ue000", "\ue001"
SHOWN = "***"
SHORTEST = 4
"""Characters of a secret that is looked for in what a job says."""

_ANY = re.compile(f"{OPEN}[0-9a-f]{{16}}:[^{OPEN}{CLOSE}]*{CLOSE}".encode())


class Secrets(Members):
    """``secrets`` in expressions: any name; whether it is there shows when the job begins."""

    __slots__ = ("state",)

    def __init__(self, state: State) -> None:
        self.state = state

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)

    def get(self, name: str, default: Any = None) -> Any:
        return f"{OPEN}{self.state.mark}:{name}{CLOSE}"


def has_marks(value: Any) -> bool:
    return isinstance(value, Raw) and OPEN.encode() in bytes(value)


def hidden(value: Raw) -> Raw:
    """The value as it is shown: each mark is ``***``."""
    if not has_marks(value):
        return value
    return Raw(_ANY.sub(SHOWN.encode(), bytes(value)))


def filled(mark: str, value: Raw, secret: Callable[[str], str]) -> tuple[Raw, dict[str, str]]:
    """The value with the secrets in it, and which they are, by name. ``mark`` is its run's."""
    marked = re.compile(f"{OPEN}{mark}:([^{OPEN}{CLOSE}]*){CLOSE}")
    used: dict[str, str] = {}

    def put(found: re.Match[str]) -> str:
        name = found[1]
        used[name] = secret(name)
        return used[name]

    def walk(part: Any) -> Any:
        if isinstance(part, str):
            return marked.sub(put, part) if OPEN in part else part
        if isinstance(part, dict):
            return {name: walk(member) for name, member in part.items()}
        return [walk(item) for item in part] if isinstance(part, list) else part

    return Raw(msgspec.json.encode(walk(msgspec.json.decode(value)))), used


def without(text: str, used: Mapping[str, str]) -> str:
    """A text of the job's in which no secret is left; very short ones would hide half of it."""
    for secret in sorted(used.values(), key=len, reverse=True):
        if len(secret) >= SHORTEST:
            text = text.replace(secret, SHOWN)
    return text
