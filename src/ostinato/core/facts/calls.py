"""Runs that wait for one another: what the caller remembers, and what the called one."""

from __future__ import annotations

from msgspec import Raw

from ostinato.core.callers import Caller
from ostinato.core.facts.base import Fact
from ostinato.core.failure import NOTHING


class JobCalled(Fact, frozen=True, tag="job.called"):
    """It waits for the end of another run. Without ``input`` the definition's constant is meant."""

    key: str
    attempt: int
    run: str
    workflow: str
    input: Raw = NOTHING
    timeout_at: int | None = None


class JobJoined(Fact, frozen=True, tag="job.joined"):
    """A run was open under the uid that it called: it waits for that one, which is not its own.

    ``own``: it is, and has begun under another name, beside the other runs of its uid.
    """

    key: str
    attempt: int
    run: str
    own: bool = False


class CallRefused(Fact, frozen=True, tag="job.refused"):
    """The run that it has called could not begin: there is none."""

    key: str
    attempt: int


class JobEnding(Fact, frozen=True, tag="job.ending"):
    """It is not wanted any more: its run is being cancelled, and it ends with that one."""

    key: str


class RunCalled(Fact, frozen=True, tag="run.called"):
    """Another run waits for the end of this one. ``joined``: it did not start it."""

    caller: Caller
    joined: bool = False
