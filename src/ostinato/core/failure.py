"""Why something failed, and what stands for a value that is not there."""

from __future__ import annotations

from msgspec import Raw, Struct

NOTHING = Raw(b"null")
"""Stands for a value that is not there: msgspec cannot read ``Raw | None``."""


def given(value: Raw) -> Raw | None:
    """The value, or None for ``NOTHING``."""
    return None if value == NOTHING else value


class Failure(Struct, frozen=True, array_like=True, gc=False):
    """Why something failed: a name to match on and a text to read."""

    name: str
    message: str
    job: str = ""
