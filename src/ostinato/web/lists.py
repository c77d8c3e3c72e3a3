"""Lists: plain arrays; the next page is in the ``Link`` header, its cursor opaque.

A query is a struct: its fields are the parameters that are known, any other is refused by name.
"""

from __future__ import annotations

import difflib
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from ostinato.app.pages import light, sealed
from ostinato.core.cloudevents import milliseconds
from ostinato.core.durations import parse_duration
from ostinato.definitions.kinds import NAME
from ostinato.errors import DefinitionError, UsageError
from ostinato.ports import Page
from ostinato.web.answers import json_answer, url_of
from ostinato.web.bodies import problem_of
from ostinato.web.errors import Refusal, unfit

T = TypeVar("T")
Q = TypeVar("Q", bound=Struct)

Limit = Annotated[int, Meta(ge=1, le=1000, description="how many at most")]
Cursor = Annotated[
    str | None, Meta(description='where the page begins: from the last answer\'s rel="next"')
]
Instant = Annotated[
    str | None,
    Meta(description="RFC 3339, milliseconds since 1970, or how long ago (`1h`)"),
]
Wait = Annotated[
    str | None, Meta(description="answer at the run's end, or after this long (`30s`, at most 5m)")
]

LONGEST_WAIT = 300.0


class NoQuery(Struct, forbid_unknown_fields=True):
    pass


class Paged(Struct, forbid_unknown_fields=True, rename="camel", kw_only=True):
    limit: Limit = 50
    cursor: Cursor = None


def read_query(request: Request, kind: type[Q]) -> Q:
    given: dict[str, Any] = {}
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name, text in _pairs(request):
        if name not in fields:
            raise _unknown(name, list(fields))
        if _is_many(fields[name].type):
            given.setdefault(name, []).extend(part for part in text.split(",") if part)
        elif name in given:
            raise unfit(f"the query parameter {name!r} is given twice", name)
        else:
            given[name] = text
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        problem = problem_of(error)
        if "enum" in problem.message:
            problem.hint = _words(fields[problem.path.partition("[")[0]].type)
        message = f"query parameter {problem}"
        raise Refusal(422, "UnprocessableEntityError", message, problems=(problem,)) from None


def _words(kind: Any) -> str:
    """Where one of some words is wanted, the words."""
    if get_origin(kind) is Literal:
        return "known are " + ", ".join(get_args(kind))
    return next(filter(None, map(_words, get_args(kind))), "")


def _pairs(request: Request) -> list[tuple[str, str]]:
    text = request.scope["query_string"].decode("latin-1")
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError as error:
        raise Refusal(400, "BadRequestError", f"the query cannot be read: {error}") from None


def _is_many(kind: Any) -> bool:
    return "tuple" in str(kind) or any("tuple" in str(part) for part in get_args(kind))


def _unknown(name: str, known: Sequence[str]) -> Refusal:
    near = difflib.get_close_matches(name, known, 1, 0.5)
    if near:
        hint = f"did you mean {near[0]!r}?"
    else:
        hint = "known are " + ", ".join(known) if known else "this route has none"
    return unfit(f"there is no query parameter {name[:80]!r}", name[:80], hint)


# -- pages -------------------------------------------------------------------------------------


class Form(Enum):
    """What a list's cursor looks like: where its last row is. Names are those of documents."""

    RUN = "[0-9a-z]{26}"
    OPERATION = "[0-9a-f]{32}"
    NUMBER = "[0-9]{1,18}"
    EVENT = "[0-9]{1,18}/.+/.+"
    LETTER = "[0-9]{1,18}/[0-9a-f]{32}"
    TASK = "[0-9]{1,18}/[0-9a-f]{24}"
    WORKFLOW = NAME
    SCHEDULE = f"{NAME}/on/(?:{NAME}|[0-9]+)"

    def fits(self, cursor: str) -> bool:
        return re.fullmatch(self.value, cursor, re.ASCII | re.DOTALL) is not None


def page_of(query: Paged, form: Form) -> Page:
    """One more than asked for: that it exists is how we know of a next page."""
    return Page(query.limit + 1, None if query.cursor is None else _opened(query.cursor, form))


def page_answer(
    request: Request,
    query: Paged,
    found: Sequence[T],
    cursor_of: Callable[[T], str],
    shown: Callable[[T], Any],
    weight: Callable[[T], int] | None = None,
) -> Response:
    """A page ends early when what it shows is ``HEAVY``."""
    items = found[: query.limit]
    if weight is not None:
        items = items[: light(items, weight)]
    headers = {}
    if len(found) > len(items):
        headers["link"] = _next(request, cursor_of(items[-1]))
    return json_answer([shown(item) for item in items], headers=headers)


def cut(query: Paged, items: Sequence[T], cursor_of: Callable[[T], str], form: Form) -> Sequence[T]:
    """A page of a list that is in memory, in the order of its cursors."""
    page = page_of(query, form)
    after = [one for one in items if page.cursor is None or cursor_of(one) > page.cursor]
    return after[: page.limit]


def _next(request: Request, cursor: str) -> str:
    pairs = [(name, text) for name, text in _pairs(request) if name != "cursor"]
    path = url_of(request, request.scope["ostinato.path"])
    return f'<{path}?{urlencode([*pairs, ("cursor", sealed(cursor))])}>; rel="next"'


def _opened(token: str, form: Form) -> str:
    try:
        padded = token + "=" * (-len(token) % 4)
        cursor = urlsafe_b64decode(padded.encode("ascii")).decode()
    except ValueError:
        cursor = ""
    if not form.fits(cursor):
        raise unfit("this is not a cursor of this list", "cursor", 'take it from rel="next"')
    return cursor


# -- values in queries -------------------------------------------------------------------------


def instant(text: str | None, name: str, now: int) -> int | None:
    if text is None:
        return None
    try:
        if text.isdecimal():
            return milliseconds(int(text), name)
        if text[:1].isdigit() and "T" in text:
            return milliseconds(text, name)
        return now - parse_duration(text)
    except (UsageError, DefinitionError, ValueError):
        hint = "as 2027-01-31T12:00:00Z, 1801396800000 or 1h"
        raise unfit(f"{text[:40]!r} is not an instant", name, hint) from None


def seconds(text: str | None, name: str) -> float | None:
    if text is None:
        return None
    try:
        span = parse_duration(f"{text}s" if text.isdecimal() else text) / 1000
    except DefinitionError as error:
        raise unfit(str(error), name) from None
    return min(span, LONGEST_WAIT)
