"""One job by chance: what it does, and what stands beside it."""

from __future__ import annotations

from typing import Any

from ostinato.definitions.keys import ACTIONS, GOES_WITH, HTTP_METHODS
from ostinato.testing.generate import texts
from ostinato.testing.generate.chance import Chance
from ostinato.testing.generate.texts import Sight
from ostinato.testing.generate.vocabulary import (
    EMITTED,
    ERRORS,
    EVENTS,
    HANDLERS,
    LONG,
    SHORT,
    VARIABLES,
)

Members = dict[str, Any]


def any_job(chance: Chance, name: str, sight: Sight) -> Members:
    """``sight`` is that of the place around the job. ``needs`` are added by whoever knows them."""
    job: Members = {"job": name}
    outside = Sight(sight.jobs, sight.item, job=True)
    job |= chance.members(
        {
            "description": lambda: "made by chance",
            "when": lambda: texts.condition(chance, outside),
            "each": lambda: each(chance, outside),
            "optional": lambda: chance.one([True, False]),
        }
    )
    inside = outside.with_item(job["each"].get("as", "item")) if "each" in job else outside
    return job | _action(chance, inside)


def each(chance: Chance, sight: Sight) -> Members:
    made: Members = {"in": texts.some_list(chance, sight)}
    return made | chance.members(
        {
            "as": lambda: chance.one(["one", "two"]),
            "at_once": lambda: chance.count(1, 3),
            "tolerate": lambda: chance.one([0, 1, "50%", "12.5%", "100%"]),
        },
        share=0.5,
    )


def _action(chance: Chance, sight: Sight) -> Members:
    action = chance.word(ACTIONS)
    made = MAKERS[action](chance, sight)
    for key in ("callback", "retry", "timeout", "expect", "heartbeat"):
        if action in GOES_WITH[key] and _has_sense(key, action, made) and chance.has(key):
            made[key] = _beside(chance, sight, key)
    return made


def _has_sense(key: str, action: str, made: Members) -> bool:
    """Nothing written may be without effect: the reader refuses what would be."""
    waits = made.get("callback") is True
    if key == "heartbeat":
        return waits
    if action == "emit":
        return key == "callback" or waits
    if action == "wait" and key == "timeout":
        return isinstance(made["wait"], dict) and made["wait"].keys().isdisjoint(
            ("until", "timeout")
        )
    return True


def _beside(chance: Chance, sight: Sight, key: str) -> Any:
    match key:
        case "callback":
            return True
        case "retry":
            return chance.count(1, 3) if chance.happens(0.4) else _retry(chance)
        case "expect":
            return texts.condition(chance, Sight(sight.jobs, sight.item, job=True, output=True))
        case "heartbeat":
            return chance.one(SHORT)
        case _:
            return chance.one(LONG)


def _retry(chance: Chance) -> Members:
    return chance.members(
        {
            "attempts": lambda: chance.count(1, 4),
            "delay": lambda: chance.one(SHORT),
            "factor": lambda: chance.one([1, 1.5, 3]),
            "max_delay": lambda: chance.one(LONG),
            "jitter": lambda: chance.one([0, 0.5]),
            "within": lambda: chance.one(LONG),
            "on": lambda: chance.some(ERRORS) or ERRORS[0],
            "never": lambda: chance.some(ERRORS[:3]) or [ERRORS[2]],
        },
        share=0.3,
    )


def _run(chance: Chance, sight: Sight) -> Members:
    handler = chance.word(HANDLERS)
    if handler == "flaky":
        return {"run": handler, "with": {"times": chance.count(0, 2)}}
    made = chance.members({"with": lambda: texts.template(chance, sight)}, share=0.5)
    return {"run": handler} | made


def _wait(chance: Chance, sight: Sight) -> Members:
    match chance.one(["span", "event", "until", "text"]):
        case "span":
            return {"wait": chance.one(SHORT)}
        case "until":
            return {"wait": {"until": chance.one(["'90s'", "now()", "run.startedAt + 5000"])}}
        case "text":
            return {"wait": chance.one(["${ '2m' }", "${ input.n }s"])}
        case _:
            return {"wait": _event(chance, sight)}


def _event(chance: Chance, sight: Sight) -> Members:
    made: Members = {"event": chance.one([chance.one(EVENTS), list(EVENTS[:2])])}
    return made | chance.members(
        {
            "match": lambda: texts.match(chance, sight),
            "timeout": lambda: chance.one(LONG),
            "look_back": lambda: chance.one(["run", "none", "5m"]),
        },
        share=0.5,
    )


def _emit(chance: Chance, sight: Sight) -> Members:
    made = chance.members(
        {
            "data": lambda: texts.template(chance, sight),
            "subject": lambda: chance.one(["orders", "order/${ input.key }"]),
            "source": lambda: chance.one(["shop", "shop/${ run.id }"]),
        },
        share=0.5,
    )
    return {"emit": {"type": chance.one(EMITTED)} | made}


def _set(chance: Chance, sight: Sight) -> Members:
    if chance.happens(0.2):
        return {"set": "${ {'first': input.n} }"}
    names = chance.some(VARIABLES) or VARIABLES[:1]
    return {"set": {name: texts.template(chance, sight) for name in names}}


def _http(chance: Chance, sight: Sight) -> Members:
    made = chance.members(
        {
            "method": lambda: chance.one([*HTTP_METHODS, "post", "${ 'GET' }"]),
            "headers": lambda: chance.one([{"X-Key": "${ input.key }"}, "${ {'X': '1'} }"]),
            "body": lambda: texts.template(chance, sight),
        },
        share=0.4,
    )
    return {"http": {"url": "https://shop.invalid/${ input.key }"} | made}


MAKERS = {"run": _run, "wait": _wait, "emit": _emit, "set": _set, "http": _http}
