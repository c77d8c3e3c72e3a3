"""Where we differ from moto on purpose: Amazon's documentation, or event-ruler, says otherwise.

A difference is known by its policy and its message; whatever else differs is a fault of ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.core.patterns.differences import named as differs_from_event_ruler

Policy = Any
Message = Any


def members(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield name, member
            yield from members(member)
    elif isinstance(value, list):
        for member in value:
            yield from members(member)


def scalars(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        yield value
        return
    for member in value:
        yield from scalars(member)


def operands(policy: Policy, *names: str) -> list[Any]:
    return [operand for name, operand in members(policy) if name in names]


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


# -- of policies -------------------------------------------------------------------------------


def _unchecked(policy: Policy) -> bool:
    """An operand that SNS does not take; moto looks at those of `exists` and `numeric` only."""
    texts = operands(policy, "prefix", "suffix", "equals-ignore-case")
    return (
        any(not isinstance(one, str) for one in texts)
        or any(map(_is_no_exclusion, operands(policy, "anything-but")))
        or any(is_number(one) and abs(one) > 1e9 for one in scalars(policy))
        or any(len(one) not in (2, 4) for one in operands(policy, "numeric"))
    )


def _is_no_exclusion(operand: Any) -> bool:
    if isinstance(operand, dict):
        return list(operand) != ["prefix"] or operand["prefix"] == ""
    values = operand if isinstance(operand, list) else [operand]
    same = all(isinstance(v, str) for v in values) or all(map(is_number, values))
    return not (values and same)


def _nothing_asked(policy: Policy) -> bool:
    text = json.dumps(policy)
    return "{}" in text or "[]" in text


POLICIES: dict[str, Callable[[Policy], bool]] = {
    "an address": lambda policy: bool(operands(policy, "cidr")),
    "as event-ruler": lambda policy: differs_from_event_ruler(policy) is not None,
    "the branches of $or": lambda policy: bool(operands(policy, "$or")),
    "an operand": _unchecked,
    "nothing asked": _nothing_asked,
}

# -- of messages -------------------------------------------------------------------------------


def _attributes(message: Message, *types: str) -> bool:
    return isinstance(message, dict) and any(
        isinstance(one, dict) and one.get("Type") in types for one in message.values()
    )


def _array(policy: Policy, message: Message) -> bool:
    """Moto takes an array apart for plain texts and, where all is a number, for plain numbers."""
    if not operands(policy, "anything-but", "prefix", "suffix", "numeric", "equals-ignore-case"):
        return False
    return _attributes(message, "String.Array") or any(
        isinstance(one, list) for _, one in members(message)
    )


def _early_end(policy: Policy, message: Message) -> bool:
    """A plain entry that cannot fit ends moto's look at its list."""
    return any(
        isinstance(rules, list) and len(rules) > 1 and not all(isinstance(r, str) for r in rules)
        for _, rules in members(policy)
    )


def _other_case(policy: Policy, message: Message) -> bool:
    texts = operands(policy, "equals-ignore-case")
    return any(isinstance(one, str) and not (one.isascii() and one == one.lower()) for one in texts)


def _presence(policy: Policy, message: Message) -> bool:
    """An empty array, an object, or null, of whose presence a policy asks; or no attribute."""
    if not operands(policy, "exists"):
        return False
    found = [one for _, one in members(message)]
    return not message or any(one in (None, "[]") or isinstance(one, (dict, list)) for one in found)


def _constant(policy: Policy, message: Message) -> bool:
    found = [*scalars(policy), *scalars(message)]
    return any(one is None or isinstance(one, bool) for one in found)


def _objects(policy: Policy, message: Message) -> bool:
    return any(isinstance(rules, dict) for _, rules in members(policy)) and any(
        isinstance(one, list) for _, one in members(message)
    )


MESSAGES: dict[str, Callable[[Policy, Message], bool]] = {
    "Binary": lambda policy, message: _attributes(message, "Binary"),
    "an element of an array": _array,
    "in any case": _other_case,
    "presence": _presence,
    "true, false, null": _constant,
    "an early end": _early_end,
    "objects in arrays": _objects,
}


def named_policy(policy: Policy) -> str | None:
    return next((name for name, holds in POLICIES.items() if holds(policy)), None)


def named_message(policy: Policy, message: Message) -> str | None:
    return next((name for name, holds in MESSAGES.items() if holds(policy, message)), None)
