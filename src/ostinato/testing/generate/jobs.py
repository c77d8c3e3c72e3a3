"""One job by chance: what it does, and what stands beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ostinato.definitions.keys import ACTIONS, GOES_WITH, HTTP_METHODS
from ostinato.testing.generate import texts
from ostinato.testing.generate.chance import Chance
from ostinato.testing.generate.texts import Sight
from ostinato.testing.generate.vocabulary import (
    BUS,
    CALLED,
    EMITTED,
    ERRORS,
    EVENTS,
    HANDLERS,
    LONG,
    OUTCOMES,
    PEOPLE,
    SHORT,
    VARIABLES,
)

Members = dict[str, Any]

ON_ERROR = ("cancel", "finish", "hold")


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
    if chance.has("on_error", 0.1):
        job["on_error"] = chance.word(ON_ERROR)
    action = chance.word(ACTIONS)
    job |= _body(chance, inside, action)
    if action in GOES_WITH["catch"] and "on" not in chance.without and chance.has("catch", 0.2):
        job["catch"] = _catches(chance, inside)
    if action in GOES_WITH["undo"] and chance.has("undo", 0.2):
        job["undo"] = _undo(chance, inside)
    for key in ("concurrency", "rate"):
        if action in GOES_WITH[key] and chance.has(key, 0.15):
            job[key] = limit(chance, key)
    return job


def limit(chance: Chance, key: str) -> Members:
    made: Members = {"limit": chance.count(1, 3)}
    made |= chance.members({"key": lambda: "input.key"})
    if key == "rate":
        return made | {"per": chance.one(LONG)}
    overflow = lambda: chance.word(["queue", "reject", "cancel-running"])  # noqa: E731
    return made | chance.members({"overflow": overflow})


def _catches(chance: Chance, sight: Sight) -> list[Members]:
    """None behind one that catches everything."""
    made: list[Members] = [{"on": chance.one(ERRORS[:4])} for _ in range(chance.count(0, 1))]
    made.append({"on": chance.one(["*", ["Oops", "Fatal"]])})
    return [one | _standing_in(chance, replace(sight, error=True)) for one in made]


def _standing_in(chance: Chance, sight: Sight) -> Members:
    if chance.happens(0.3):
        return {"output": texts.output(chance, sight)}
    return {"do": _body(chance, sight, chance.word(ACTIONS))}


def _undo(chance: Chance, sight: Sight) -> Any:
    if chance.happens(0.4):
        return chance.word(["ok", "slow"])
    actions = [action for action in ACTIONS if action != "end"]
    return _body(chance, replace(sight, output=True), chance.word(actions))


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


def _body(chance: Chance, sight: Sight, action: str) -> Members:
    made = MAKERS[action](chance, sight)
    for key in ("callback", "retry", "timeout", "expect", "heartbeat", "repeat"):
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
            return texts.condition(chance, replace(sight, output=True))
        case "repeat":
            return _repeat(chance, replace(sight, output=True))
        case "heartbeat":
            return chance.one(SHORT)
        case _:
            return chance.one(LONG)


def _repeat(chance: Chance, sight: Sight) -> Members:
    """With a limit: what is played is not to go round a thousand times."""
    until, every = texts.condition(chance, sight), chance.one(SHORT)
    return {"until": until, "every": every, "limit": chance.count(1, 3)}


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
    if handler == "echo" and "with" in made and not _may_be_map(made["with"]):
        made = {"with": {"value": made["with"]}}  # it takes arguments by name
    return {"run": handler} | made


def _may_be_map(given: Any) -> bool:
    return isinstance(given, dict) or (isinstance(given, str) and "${" in given)


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
            "headers": lambda: chance.one([{"tenant": "${ input.key }"}, "${ {'n': input.key} }"]),
        },
        share=0.5,
    )
    event = {"type": chance.one(EMITTED)} | made
    return {"emit": event | {"bus": BUS} if chance.apart("bus", event) else event}


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


def _end(chance: Chance, sight: Sight) -> Members:
    return {"end": chance.one(["succeeded", "failed", "cancelled"])}


def _call(chance: Chance, sight: Sight) -> Members:
    made = chance.members({"with": lambda: _map(chance, sight)}, share=0.5)
    if chance.happens(0.5):
        return {"call": chance.one([*CALLED, "${ 'other' }"])} | made
    long = chance.members(
        {
            "version": lambda: chance.one([1, "${ 2 }"]),
            "uid": lambda: "u-${ run.id }",
        },
        share=0.5,
    )
    return {"call": {"workflow": chance.one(CALLED)} | long} | made


def _map(chance: Chance, sight: Sight) -> Any:
    return "${ input }" if chance.happens(0.2) else texts.values(chance, sight)


def _task(chance: Chance, sight: Sight) -> Members:
    made = chance.members(
        {
            "key": lambda: "sign-off",
            "type": lambda: "approval",
            "assignee": lambda: chance.one([*PEOPLE, "${ input.key }"]),
            "candidates": lambda: chance.one([PEOPLE[0], list(PEOPLE)]),
            "groups": lambda: ["ops"],
            "priority": lambda: chance.one(["low", "high", "${ 'medium' }"]),
            "severity": lambda: chance.one(["low", "high"]),
            "due": lambda: chance.one([*LONG, "2027-06-01", "${ run.startedAt + 5000 }"]),
            "escalate": lambda: _escalations(chance),
            "form": lambda: {"type": "object", "properties": {"again": {"type": "boolean"}}},
            "outcomes": lambda: chance.one([list(OUTCOMES), [*OUTCOMES, "${ 'later' }"]]),
            "data": lambda: texts.template(chance, sight),
        },
        share=0.3,
    )
    return {"task": {"name": chance.one(["Sign off", "Sign off ${ input.key }"])} | made}


def _escalations(chance: Chance) -> list[Members]:
    return [{"after": one, "to": chance.one(PEOPLE)} for one in chance.one([("5m",), ("5m", "1h")])]


MAKERS = {
    "end": _end, "run": _run, "wait": _wait, "task": _task, "emit": _emit, "set": _set,
    "http": _http,
    "call": _call,
}  # fmt: skip
