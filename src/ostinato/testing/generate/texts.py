"""Expressions by chance: only names that are known where the expression stands.

A made-up input has every member that is read here; what is null in one run fails no expression.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ostinato.testing.generate.chance import Chance
from ostinato.testing.generate.vocabulary import KEYS, VARIABLES


@dataclass(frozen=True, slots=True)
class Sight:
    """``jobs`` are certainly done; ``item`` is the nearest item's name; ``job`` inside a job."""

    jobs: tuple[str, ...] = ()
    item: str = ""
    job: bool = False
    output: bool = False

    def with_item(self, name: str) -> Sight:
        return replace(self, item=name)


def condition(chance: Chance, sight: Sight, depth: int = 0) -> str:
    known = ["input.flag", "true", "false", "input.n > 1", 'input.key == "k1"', "!input.flag"]
    known += ["size(input.items) == 2", "now() != ''", 'run.status == "running"']
    known += [f"vars.{name} == null" for name in VARIABLES]
    for job in sight.jobs:
        known += [f'jobs.{job}.status == "succeeded"', f"jobs.{job}.output != null"]
        known += [f"jobs.{job}.attempts < 2"]
    known += [f'{sight.item} != "k2"', "index < 1"] if sight.item else []
    known += ["job.attempt < 2", 'startsWith(job.key, "p")'] if sight.job else []
    known += ["output != false", "default(output, 1) != 0"] * 8 if sight.output else []
    if depth < 2 and chance.happens(0.2):
        return _joined(chance, sight, depth)
    return chance.one(known)


def _joined(chance: Chance, sight: Sight, depth: int) -> str:
    first, second = (condition(chance, sight, depth + 1) for _ in range(2))
    form = chance.one(["{} && {}", "{} || {}", "!({})", "{} ? {} : false"])
    return form.format(f"({first})", f"({second})")


def some_list(chance: Chance, sight: Sight) -> str:
    known = ["input.items", "[1, 2]", "[]", "['a', 'b', 'c']", "[{'key': input.key}]"]
    known += ["input.items.filter(x, x != 'k2')", "default(event.data.items, [])"]
    known += ["[input.n, index]"] if sight.item else []
    known += [f"[jobs.{job}.output, 1]" for job in sight.jobs]
    return chance.one(known)


def value(chance: Chance, sight: Sight) -> str:
    """One expression of any kind."""
    known = ["input.key", "input.n", "input.n + 1", "input", "event", "run.id"]
    known += [f"vars.{name}" for name in VARIABLES]
    known += [f"jobs.{job}.output" for job in sight.jobs]
    known += [f"jobs.{job}.error" for job in sight.jobs]
    known += [sight.item, "index * 2"] if sight.item else []
    known += ["job.key", "job.callback_url", "job.token"] if sight.job else []
    return chance.one(known)


def template(chance: Chance, sight: Sight, depth: int = 0) -> Any:
    """A value whose texts hold expressions, constants and the mark itself."""
    plain: list[Any] = [1, "text", None, True, 0.5, "$${ not one }"]
    kinds = ["value", "plain", "text"] + ["map", "list"] * (depth < 2)
    match chance.one(kinds):
        case "plain":
            return chance.one(plain)
        case "text":
            return f"the ${{ {value(chance, sight)} }} of ${{{value(chance, sight)}}}"
        case "map":
            return values(chance, sight, depth)
        case "list":
            return [template(chance, sight, depth + 1) for _ in range(chance.count(0, 2))]
        case _:
            return f"${{ {value(chance, sight)} }}"


def values(chance: Chance, sight: Sight, depth: int = 0) -> dict[str, Any]:
    """A map of templates."""
    names = chance.some(["key", "other", "deep-er", "times"]) or ["key"]
    return {name: template(chance, sight, depth + 1) for name in names}


def output(chance: Chance, sight: Sight) -> Any:
    """One expression, or a map or list in which every text is one."""
    match chance.one(["map", "one", "list", "deep"]):
        case "one":
            return value(chance, sight)
        case "list":
            return [value(chance, sight), 1, None]
        case "deep":
            return {"a": {"b": [value(chance, sight), True]}, "c": value(chance, sight)}
        case _:
            return {name: value(chance, sight) for name in chance.some(["x", "y"]) or ["x"]}


def match(chance: Chance, sight: Sight) -> dict[str, Any]:
    """A pattern that any_data can fit."""
    tests: list[dict[str, Any]] = [
        {"key": ["${ input.key }"]},
        {"key": [chance.one(KEYS)]},
        {"key": [*KEYS[:2]]},
        {"n": [{"numeric": [">", 0]}]},
        {"flag": [True], "key": ["${ input.key }"]},
        {"key": [{"prefix": "k"}], "n": [1, 2]},
    ]
    tests += [{"key": [f"${{ default({sight.item}, 'k1') }}"]}] if sight.item else []
    return {"data": chance.one(tests)}
