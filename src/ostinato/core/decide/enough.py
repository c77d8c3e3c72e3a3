"""A scope that needs only so many of its children: `mode: race`, `enough: N`."""

from __future__ import annotations

from ostinato.core.state import Scope


def can_spare(scope: Scope) -> bool:
    """Whether one more child may be lost, and enough can still succeed."""
    enough = scope.node.enough
    if enough is None:
        return False
    left = len(scope.node.children) - scope.lost - 1
    return left >= enough


def has_enough(scope: Scope) -> bool:
    return scope.node.enough is not None and scope.succeeded >= scope.node.enough
