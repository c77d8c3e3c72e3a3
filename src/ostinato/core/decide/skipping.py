"""A condition that is false: what it stands at is skipped.

A skipped scope skips each job in it. A skipped job counts as done: it has no output, and its token
goes on, so a join after it is filled as by any other.
"""

from __future__ import annotations

from ostinato.core.decide.flowing import holds
from ostinato.core.decide.moves import Leave, Said
from ostinato.core.facts import JobSkipped, ScopeSkipped
from ostinato.core.graph import Node
from ostinato.core.model import Kind
from ostinato.core.names import Names
from ostinato.core.state import Scope, State


def skip(state: State, scope: Scope, node: Node, key: str) -> list[Said] | None:
    """What follows when ``node`` is skipped; None when it is to be done."""
    if node.when is None or holds(node.when, Names(state, scope, job_key=key)):
        return None
    return [*_skipped(node, key, f"{node.when.text} is false"), Leave(scope, node)]


def _skipped(node: Node, key: str, why: str) -> list[Said]:
    if node.kind is Kind.JOB:
        return [JobSkipped(key, why)]
    said: list[Said] = [ScopeSkipped(key, why)]
    for child in node.children:
        if child.kind is Kind.JOB or child.kind is Kind.SCOPE:
            said += _skipped(child, f"{key}/{child.name}", why)
    return said
