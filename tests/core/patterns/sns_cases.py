"""Filter policies of Amazon SNS with messages, drawn so that they have much to do with each other.

A message for `attributes` is an object of them; for `body` it is the text of one.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.core.patterns.cases import KINDS, MATCHERS, SEEDS, VALUES, Raw, inside, like, write

Drawn = st.SearchStrategy[Any]

KNOWN = (
    "exact text",
    "exact number",
    "exact constant",
    "prefix",
    "suffix",
    "equals-ignore-case",
    "numeric",
    "numeric range",
    "cidr",
    "exists true",
    "exists false",
    "anything-but text",
    "anything-but number",
)
FOREIGN = ("prefix in any case", "wildcard", "anything-but suffix", "anything-but in any case")
ONE_PREFIX = st.sampled_from(["a", "ab", "A", "5"]).map(lambda p: {"anything-but": {"prefix": p}})
RULES = {name: MATCHERS[name] for name in KNOWN} | {"anything-but prefix": ONE_PREFIX}
LISTS = st.lists(st.one_of(*RULES.values()), min_size=1, max_size=3)
POLICIES = st.dictionaries(st.sampled_from(["a", "b", "c"]), LISTS, min_size=1, max_size=3)
WITH_OR = st.tuples(POLICIES, st.lists(POLICIES, min_size=2, max_size=3)).map(
    lambda it: it[0] | {"$or": it[1]}
)


class Question(NamedTuple):
    """The policy, and the messages of a body, as JSON is written: `1.0` is not `1` there."""

    kind: str
    scope: str
    policy: str
    messages: list[Any]


# -- attributes --------------------------------------------------------------------------------


def attribute(value: Any, others: list[Any], chance: Random) -> dict[str, str]:
    if chance.random() < 0.25 or not isinstance(value, (str, Raw)):
        elements = [chance.choice(others) for _ in range(chance.randrange(3))] + [value]
        return {"Type": "String.Array", "Value": write(chance.choice([elements, elements, []]))}
    if chance.random() < 0.05:
        return {"Type": "Binary", "Value": "YQ=="}
    text = value.text if isinstance(value, Raw) else value
    return {"Type": "Number" if isinstance(value, Raw) else "String", "Value": text or "a"}


def message(policy: dict[str, Any], others: list[Any], chance: Random) -> dict[str, Any]:
    made = {}
    for name, rules in policy.items():
        if name == "$or":
            made |= message(chance.choice(rules), others, chance)
        elif chance.random() < 0.85:
            plain = [one for one in inside(rules) if one not in ("=", "<", "<=", ">", ">=")]
            value = like(chance.choice([*plain, chance.choice(others)]), chance)
            made[name] = attribute(value, others, chance)
    return made if chance.random() < 0.9 else made | {"z": {"Type": "String", "Value": "z"}}


def _of_attributes(kind: str, policies: Drawn) -> Drawn:
    def question(drawn: tuple[Any, ...]) -> Question:
        policy, others, chance = drawn[0], drawn[1], Random(drawn[2])
        made = [message(policy, others, chance) for _ in range(6)]
        messages = [one for at, one in enumerate(made) if one not in made[:at]]
        return Question(kind, "attributes", write(policy), messages)

    return st.tuples(policies, VALUES, SEEDS).map(question)


def _alone(rule: Drawn) -> Drawn:
    return rule.map(lambda one: {"a": [one]})


# -- all of them -------------------------------------------------------------------------------

BODIES = (*KNOWN, *FOREIGN, "shapes", "or", "doubtful")


def _of_bodies(kind: str) -> Drawn:
    return KINDS[kind].map(lambda case: Question(kind, "body", case.pattern, case.events))


def key(question: Question) -> str:
    return json.dumps([question.scope, question.policy])


QUESTIONS: dict[str, Drawn] = (
    {f"attributes: {name}": _of_attributes(name, _alone(rule)) for name, rule in RULES.items()}
    | {
        "attributes: lists": _of_attributes("lists", POLICIES),
        "attributes: or": _of_attributes("or", WITH_OR),
    }
    | {f"body: {name}": _of_bodies(name) for name in BODIES}
)
