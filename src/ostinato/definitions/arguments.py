"""What built-in handlers take, and `emit`: what is certain not to fit is found before a run is.

Only constants are judged: what an expression gives is known when the job begins.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ostinato.core.cloudevents.event import MAX_SOURCE, MAX_SUBJECT, MAX_TYPE
from ostinato.core.durations import parse_duration
from ostinato.core.labels import label_problem
from ostinato.core.model import Emit, Run
from ostinato.definitions.document import Body, Document, Job
from ostinato.definitions.reader import kind_of, nearest
from ostinato.definitions.source import Path
from ostinato.errors import DefinitionError, Problem

__all__ = ["TAKES", "argument_problems"]

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SCHEMES = ("http://", "https://")
_LEVELS = ("debug", "info", "warning", "error")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_level(value: Any) -> bool:
    return value in _LEVELS


def _is_whole(value: Any) -> bool:
    """Also what is one when it is read: 2.0, "2"."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return math.isfinite(number) and number.is_integer()


def _is_span(value: Any) -> bool:
    if not isinstance(value, str):
        return isinstance(value, int | float)
    try:
        parse_duration(value)
    except DefinitionError:
        return False
    return True


def _is_url(value: Any) -> bool:
    """Or the beginning of one, as far as it is known."""
    if not isinstance(value, str):
        return False
    head = value.lower().partition("${")[0]
    if head != value.lower():
        return any(head.startswith(one) or one.startswith(head) for one in _SCHEMES)
    return head.startswith(_SCHEMES)


def _is_map(value: Any) -> bool:
    return value is None or isinstance(value, dict)


def _is_anything(value: Any) -> bool:
    return True


class Argument(NamedTuple):
    name: str
    fits: Callable[[Any], bool]
    wanted: str
    example: str = ""  # of one that it cannot do without


_REQUEST = (
    Argument("url", _is_url, "an address that begins with https:// or http://", "https://…"),
    Argument("method", _is_text, "a text"),
    Argument("headers", _is_map, "a map of texts"),
    Argument("body", _is_anything, "anything"),
)

TAKES: dict[str, tuple[Argument, ...] | None] = {
    "noop": None,
    "echo": None,
    "sleep": (Argument("for", _is_span, "a duration", "2s"),),
    "log": (
        Argument("message", _is_text, "a text", "…"),
        Argument("level", _is_level, "one of " + " ".join(_LEVELS)),
    ),
    "fail": (Argument("message", _is_text, "a text"), Argument("name", _is_text, "a text")),
    "flaky": (
        Argument("times", _is_whole, "a whole number", "2"),
        Argument("key", _is_text, "a text"),
    ),
    "http": _REQUEST,
}
"""By handler; None takes any map."""

_LONGEST = {"type": MAX_TYPE, "subject": MAX_SUBJECT, "source": MAX_SOURCE}


def argument_problems(document: Document, job: Job) -> Iterator[Problem]:
    for body in job.bodies():
        if isinstance(body.action, Emit):
            yield from _emitted(document, body)
        elif isinstance(body.action, Run) and body.action.handler in TAKES:
            yield from _called(document, job, body, body.action.handler)


def _called(document: Document, job: Job, body: Body, handler: str) -> Iterator[Problem]:
    where, given = _given(document, job, body)
    takes = TAKES[handler]
    if _is_open(given):
        return
    if given is not None and not isinstance(given, dict):
        message = f"`{handler}` takes named arguments, a map, not {kind_of(given)}"
        yield document.problem(where, message, _example(takes))
    elif takes is not None:
        yield from _members(document, where, handler, given or {}, takes)


def _given(document: Document, job: Job, body: Body) -> tuple[Path, Any]:
    """What it is called with, and where that is written: an ``undo`` may be given the job's own."""
    source = body.input
    where = body.path
    if source is None and body is job.undo:
        return where, None if job.input is None else job.input.source
    written = document.at(where)
    if isinstance(written, dict):
        key = "http" if "http" in written else "with"
        where = (*where, key) if key in written else where
    return where, None if source is None else source.source


def _members(
    document: Document,
    where: Path,
    handler: str,
    given: dict[str, Any],
    takes: tuple[Argument, ...],
) -> Iterator[Problem]:
    known = {argument.name: argument for argument in takes}
    for name, value in given.items():
        if name not in known:
            hint = nearest(name, known) or "it takes " + ", ".join(f"`{one}`" for one in known)
            message = f"`{handler}` has no argument `{name}`"
            yield document.problem(_below(document, where, name), message, hint)
        elif not known[name].fits(value) and not (_is_open(value) and name != "url"):
            message = f"`{name}`: {known[name].wanted} is expected, not {kind_of(value)}"
            hint = f"as in {name}: {known[name].example}" if known[name].example else ""
            yield document.problem(_below(document, where, name), message, hint)
        elif name == "headers" and isinstance(value, dict):
            yield from _headers(document, _below(document, where, name), value)
    for argument in takes:
        if argument.example and argument.name not in given:
            message = f"`{handler}` needs `{argument.name}`"
            yield document.problem(where, message, _example(takes))


def _headers(document: Document, where: Path, headers: dict[str, Any]) -> Iterator[Problem]:
    for name, value in headers.items():
        here = _below(document, where, name)
        if not _HEADER.fullmatch(name):
            yield document.problem(here, f"no header can be called {name!r:.60}")
        elif not isinstance(value, str):
            message = f"the value of a header is a text, not {kind_of(value)}"
            yield document.problem(here, message, "put it in quotes")


def _emitted(document: Document, body: Body) -> Iterator[Problem]:
    given = None if body.input is None else body.input.source
    if not isinstance(given, dict):
        return
    where = (*body.path, "emit")
    for name, longest in _LONGEST.items():
        value = given.get(name)
        why = label_problem(value, longest) if isinstance(value, str) else ""
        if why and not _is_open(value):
            yield document.problem((*where, name), f"`{name}` {why}")
    headers = given.get("headers")
    for name, value in (headers if isinstance(headers, dict) else {}).items():
        if value is not None and not isinstance(value, str):
            message = f"the value of a header is a text, not {kind_of(value)}"
            yield document.problem((*where, "headers", name), message, "put it in quotes")


def _below(document: Document, where: Path, name: str) -> Path:
    """The member, where it is written there."""
    written = document.at(where)
    return (*where, name) if isinstance(written, dict) and name in written else where


def _is_open(value: Any) -> bool:
    return isinstance(value, str) and "${" in value


def _example(takes: tuple[Argument, ...] | None) -> str:
    needed = [one for one in takes or () if one.example]
    members = ", ".join(f"{one.name}: {one.example}" for one in needed)
    return f"write with: {{{members}}}" if members else "write with: {name: value}"
