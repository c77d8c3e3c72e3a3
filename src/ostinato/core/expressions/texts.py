"""Functions on texts. Each says how long its result will be before it makes it."""

from __future__ import annotations

from typing import Any

from ostinato.core.expressions.arguments import wanted
from ostinato.core.expressions.budget import Budget
from ostinato.core.expressions.faults import failure
from ostinato.core.expressions.values import kind, text_of

__all__ = [
    "contains",
    "ends_with",
    "join",
    "lower",
    "replace",
    "split",
    "starts_with",
    "trim",
    "upper",
]

_SPACES = " \t\r\n\f\v"


def lower(budget: Budget, value: Any) -> str:
    text: str = wanted("lower", value, "text")
    budget.charge_text(len(text))
    return text.lower()


def upper(budget: Budget, value: Any) -> str:
    text: str = wanted("upper", value, "text")
    budget.charge_text(len(text))
    return text.upper()


def trim(budget: Budget, value: Any) -> str:
    text: str = wanted("trim", value, "text")
    budget.charge_text(len(text))
    return text.strip(_SPACES)


def split(budget: Budget, value: Any, separator: Any) -> list[str]:
    text, mark = wanted("split", value, "text"), wanted("split", separator, "text")
    if not mark:
        raise failure("split() needs a separator that is not empty")
    budget.charge_text(len(text))
    budget.charge(text.count(mark))
    parts: list[str] = text.split(mark)
    return parts


def join(budget: Budget, items: Any, separator: Any) -> str:
    found, mark = wanted("join", items, "list"), wanted("join", separator, "text")
    budget.charge(len(found))
    parts = [_part(item, budget) for item in found]
    budget.charge_text(sum(map(len, parts)) + len(mark) * max(0, len(parts) - 1))
    text: str = mark.join(parts)
    return text


def _part(item: Any, budget: Budget) -> str:
    if kind(item) not in ("text", "number", "bool"):
        raise failure(f"cannot join {kind(item)}", "make texts first: list.map(x, string(x))")
    return text_of(item, budget)


def replace(budget: Budget, value: Any, old: Any, new: Any) -> str:
    text, before = wanted("replace", value, "text"), wanted("replace", old, "text")
    after = wanted("replace", new, "text")
    if not before:
        raise failure("replace() needs a text to look for that is not empty")
    budget.charge_text(len(text))
    budget.charge_text(len(text) + text.count(before) * (len(after) - len(before)))
    replaced: str = text.replace(before, after)
    return replaced


def _both(name: str, value: Any, part: Any, budget: Budget) -> tuple[str, str]:
    text, piece = wanted(name, value, "text"), wanted(name, part, "text")
    budget.charge(len(text) >> 8)
    return text, piece


def starts_with(budget: Budget, value: Any, part: Any) -> bool:
    text, piece = _both("startsWith", value, part, budget)
    return text.startswith(piece)


def ends_with(budget: Budget, value: Any, part: Any) -> bool:
    text, piece = _both("endsWith", value, part, budget)
    return text.endswith(piece)


def contains(budget: Budget, value: Any, part: Any) -> bool:
    if kind(value) in ("list", "map"):
        raise failure(f"contains() is for texts, not {kind(value)}", "write x in group")
    text, piece = _both("contains", value, part, budget)
    return piece in text
