"""What makes a tenant's stack: the port, and what all builders share.

code_build  AWS CodeBuild            jenkins    Jenkins, by its HTTP API
process     a command on this machine  container  an image, by docker
http        anything that takes a POST
following   asking until it is over    environment  what a build is told

A build is told the token of the one job that waits for it. It ends that job by a POST to the
address that goes with it, or by an event that has the token in it (see ``arc.results``). A builder
that can look at its builds also ends it by itself, so that a report that is lost holds up nobody.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Ended = Literal["succeeded", "failed"]


@dataclass(frozen=True, slots=True)
class Build:
    """``job`` is the jobIdentifier of the tier. ``key`` is the same over all attempts: a builder
    that has begun a build under it does not begin another. ``environment`` has texts only."""

    job: str
    environment: Mapping[str, str]
    key: str
    token: str
    callback_url: str


async def _nothing() -> None:
    """Most builders keep their builds."""


@dataclass(frozen=True, slots=True)
class Result:
    """``output`` is what the build says of itself; ``reason`` is for people. ``forget`` is called
    when it is stored, or nobody asks for it any more: until then another attempt may."""

    status: Ended
    reason: str = ""
    output: Mapping[str, Any] = field(default_factory=dict)
    forget: Callable[[], Awaitable[None]] = field(default=_nothing, repr=False, compare=False)

    def as_output(self) -> dict[str, Any]:
        said = {"status": self.status, "reason": self.reason}
        return {**self.output, **{name: value for name, value in said.items() if value}}


class Builder(Protocol):
    async def run(self, build: Build) -> Result | None:
        """Begin the build, if it has not begun, and see it through.

        None: it goes on elsewhere, and reports under its token. May be cancelled at any moment, and
        be called again for the same ``key``.
        """


__all__ = ["Build", "Builder", "Ended", "Result"]
