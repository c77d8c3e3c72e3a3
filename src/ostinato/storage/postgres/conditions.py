"""Filters joined to one statement; its arguments are numbered as they come."""

from __future__ import annotations

from ostinato.storage.postgres.arrays import Argument, number
from ostinato.storage.postgres.wire import Ask

Condition = tuple[str, tuple[Argument, ...]]
"""A text with ``{}`` for each of its arguments."""


def asked(select: str, conditions: list[Condition], order: str, limit: int | None) -> Ask:
    end: Condition = (f"{order} LIMIT {{}}::int8", (number(limit),))
    return numbered(f"{select}{where(conditions)} {end[0]}", [*conditions, end])


def where(conditions: list[Condition]) -> str:
    return " WHERE " + " AND ".join(part for part, _ in conditions) if conditions else ""


def numbered(sql: str, conditions: list[Condition]) -> Ask:
    arguments = [value for _, values in conditions for value in values]
    return Ask(sql.format(*(f"${n}" for n in range(1, len(arguments) + 1))), arguments, kept=False)
