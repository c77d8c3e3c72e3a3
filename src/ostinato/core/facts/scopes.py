"""What happened to a scope of the run, the items of an `each`, and the tokens in it."""

from __future__ import annotations

from msgspec import Raw

from ostinato.core.facts.base import Fact
from ostinato.core.failure import Failure


class ScopeReopened(Fact, frozen=True, tag="phase.reopened"):
    key: str
    due_at: int | None = None


class ScopeOpened(Fact, frozen=True, tag="phase.opened"):
    key: str
    due_at: int | None = None


class ScopeSkipped(Fact, frozen=True, tag="phase.skipped"):
    key: str
    why: str


class ScopeFailing(Fact, frozen=True, tag="phase.failing"):
    """Nothing new starts in this scope; key "" is the run itself."""

    key: str
    error: Failure


class ScopeEnded(Fact, frozen=True, tag="phase.ended"):
    """``status`` is succeeded, failed or cancelled."""

    key: str
    status: str


class ScopeSatisfied(Fact, frozen=True, tag="phase.satisfied"):
    """Enough of its children have succeeded: nothing new starts, the others are cancelled."""

    key: str


class ItemsResolved(Fact, frozen=True, tag="each.resolved"):
    key: str
    items: Raw


class TokenRested(Fact, frozen=True, tag="token.rested"):
    scope: str
    flow: str


class TokensJoined(Fact, frozen=True, tag="token.joined"):
    """Tokens on these flows became one."""

    scope: str
    flows: tuple[str, ...]


class GatewayPassed(Fact, frozen=True, tag="gateway.passed"):
    key: str
