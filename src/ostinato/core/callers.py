"""Who waits for a run."""

from __future__ import annotations

from msgspec import Struct

CALLING = ("call", "joined")
"""Kinds of a step that waits for another run."""

UNTIL_ITS_END = (*CALLING, "ending")
"""… and of one that is not wanted any more, and ends when that run has ended."""


class Caller(Struct, frozen=True, array_like=True, gc=False):
    """A step of another run, by its attempt.

    ``depth`` is how many runs are above the one that is waited for; ``first`` is the uppermost,
    empty in what was written before it was kept.
    """

    run: str
    key: str
    attempt: int
    depth: int = 0
    first: str = ""
