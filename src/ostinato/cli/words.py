"""How runs, steps and spans of time are told to people."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

LATELY = 90_000
"""ms after which a worker that waits for jobs would have asked again."""

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def span(ms: float | None) -> str:
    """``12 s``, ``3 min 20 s``, ``2 d 4 h``: the two largest units."""
    if ms is None:
        return ""
    if ms < 1000:
        return f"{max(0, ms):.0f} ms"
    seconds, told = int(ms // 1000), []
    for size, unit in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            told.append(f"{count} {unit}")
    return " ".join(told[:2])


def moment(ms: int | None) -> str:
    """Local time, to the second."""
    return datetime.fromtimestamp(ms / 1000).strftime("%Y-%m-%d %H:%M:%S") if ms else ""


def clock(ms: int | None, now: int) -> str:
    """Where room is scarce: the time if it was today, else the day."""
    day, time_of_day = moment(ms).split() if ms else ("", "")
    return time_of_day if day == moment(now)[:10] else day


def took(item: Mapping[str, Any], now: int) -> str:
    began, ended = item.get("startedAt"), item.get("endedAt")
    return span((ended or now) - began) if began else ""


def failure(error: Mapping[str, Any] | None) -> str:
    if not error:
        return ""
    job = f"{error['job']}: " if error.get("job") else ""
    return f"{job}{error.get('name')}: {error.get('message')}"


def progress(run: Mapping[str, Any], now: int, place: str = "") -> Iterator[str]:
    """Why a run is not over, and what would continue it; nothing for one that is."""
    if run.get("endedAt"):
        return
    if incident := run.get("incident"):
        tokens = ", ".join(run.get("tokens") or ())
        yield f"needs a person: {incident}" + (f" (at {tokens})" if tokens else "")
    if run.get("status") == "paused":
        yield f"paused; `ostinato resume {run.get('id')}` lets it go on"
    for wait in run.get("waits") or ():
        yield f"{wait['key'] or 'the run'}: {reason(wait, now, place, run.get('id', 'RUN'))}"


def held(run: Mapping[str, Any], now: int) -> Iterator[str]:
    """What of it waits for a person, and what that person can do."""
    waits = [wait for wait in run.get("waits") or () if wait["kind"] == "repair"]
    return progress({**run, "waits": waits}, now)


def reason(wait: Mapping[str, Any], now: int, place: str, run: str = "RUN") -> str:
    since = f"since {span(now - wait['since'])}"
    due = wait.get("dueAt")
    given_up = _given_up(due, now)
    match wait.get("kind"):
        case "event":
            types = list(wait.get("types") or ("TYPE",))
            emit = f"ostinato emit {types[0]}{_matching(wait.get('match'))}"
            return f"waiting for {' or '.join(types)} {since}; `{emit}` would continue it{given_up}"
        case "timer":
            goes_on = f" until {moment(due)} (in {span(due - now)})" if due else ""
            return f"waiting{goes_on}; goes on by itself"
        case "turn":
            names = " and ".join(wait.get("types") or ())
            return f"waiting for its turn under {names} {since}; goes on when a place is free"
        case "uid":
            return f"waiting {since} for the run before it under its uid; goes on by itself"
        case "retry":
            again = f" in {span(due - now)}" if due else ""
            return f"failed, will be tried again{again}; goes on by itself"
        case "repeat":
            again = f" in {span(due - now)}" if due else ""
            return f"not yet what it waits for, asks again{again}; goes on by itself"
        case "call" | "joined" | "ending":
            return _for_run(wait, since, given_up, run)
        case "repair":
            key = wait["key"]
            ways = " or ".join(f"`ostinato {verb} {run} {key}`" for verb in ("retry", "skip"))
            return f"failed for good, waiting for a person {since}; {ways} would continue it"
        case "task":
            return f"{_asked(wait.get('task') or {}, now)} {since}{given_up}"
        case "worker":
            return _for_worker(wait, since, now)
        case "callback":
            base = place if place.startswith("http") else "http://HOST:PORT"
            address = f"{base}/callbacks/{wait.get('token', 'TOKEN')}"
            post = f"curl -d '{{\"output\": …}}' -H 'content-type: application/json' {address}"
            return f"waiting for its callback {since}; `{post}` would continue it{given_up}"
    return f"waiting for {wait.get('kind')} {since}{given_up}"


def _given_up(due: int | None, now: int) -> str:
    if due is None:
        return ""
    return f"; gives up in {span(due - now)}" if due > now else f"; late by {span(now - due)}"


def waited(fact: Mapping[str, Any]) -> str:
    """What a ``job.waiting`` whose wait is over had waited for."""
    match fact.get("kind"):
        case "event":
            return f"for {' or '.join(fact.get('types') or ())}"
        case "timer":
            return f"until {moment(fact.get('dueAt'))}"
        case "task":
            task = fact.get("input") or {}
            return f"for {_people(task)} to do {task.get('name')!r}"
        case "callback":
            return "for its callback"
    return f"for {fact.get('kind')}"


def _for_run(wait: Mapping[str, Any], since: str, given_up: str, run: str) -> str:
    other = wait.get("run")
    match wait["kind"]:
        case "call":
            return f"waiting for its run {other} {since}{given_up}"
        case "joined":
            return f"waiting for run {other}, which was there already, {since}{given_up}"
        case _:
            skip = f"`ostinato skip {run} {wait['key']}` would not wait for it"
            return f"waiting for its run {other} to be cancelled {since}; {skip}"


def _for_worker(wait: Mapping[str, Any], since: str, now: int) -> str:
    topic, asked = wait.get("topic"), wait.get("askedAt")
    told = f"waits for a worker of topic {topic} {since}"
    would = f"`ostinato worker module:app` with a handler {topic!r} would do it"
    if asked is None:
        return f"{told}; nobody has asked for it since the server began; {would}"
    if now - asked > LATELY:
        return f"{told}; nobody has asked for it since {moment(asked)}; {would}"
    return f"{told}; workers ask for it, the last one {span(now - asked)} ago"


def due(at: int | None, now: int) -> str:
    if at is None:
        return ""
    return f"in {span(at - now)}" if at > now else f"overdue since {span(now - at)}"


def answering(task: Mapping[str, Any]) -> str:
    outcomes = "|".join(task.get("outcomes") or ())
    return f"ostinato complete {task.get('id')}" + (f" --outcome {outcomes}" if outcomes else "")


def _asked(task: Mapping[str, Any], now: int) -> str:
    told = [due(task.get("dueAt"), now)]
    if at := task.get("escalatesAt"):
        told.append(f"goes to somebody else in {span(at - now)}")
    more = "".join(f", {one}" for one in told if one)
    name = task.get("name")
    asked = f"waiting for {_people(task)} to do {name!r}{more}"
    return f"{asked}; `{answering(task)}` would continue it;"


def _people(task: Mapping[str, Any]) -> str:
    people = [task.get("assignee"), *(task.get("candidates") or ()), *(task.get("groups") or ())]
    return " or ".join(one for one in people if one) or "somebody"


def _matching(match: Any) -> str:
    """A --data that fits the pattern, where the pattern wants plain values."""
    data = _example(match.get("data")) if isinstance(match, dict) else None
    return f" --data '{json.dumps(data, ensure_ascii=False)}'" if data else " …"


def _example(pattern: Any) -> Any:
    if isinstance(pattern, dict):
        inner = {name: _example(value) for name, value in pattern.items() if name[:1] != "$"}
        return {name: value for name, value in inner.items() if value is not None}
    if isinstance(pattern, list) and pattern and not isinstance(pattern[0], dict):
        return pattern[0]
    return "…" if isinstance(pattern, list) else None
