"""Dead letters: what could not be processed, kept with its event and every reason; redriving it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from ostinato.app import LetterView, Redrives, letter_view
from ostinato.app.pages import place_of_letter, weight_of_letter
from ostinato.core.letters import KINDS
from ostinato.ports import LetterQuery
from ostinato.web.answers import json_answer
from ostinato.web.bodies import decode, read_body
from ostinato.web.door import caller_of, door_of
from ostinato.web.errors import unfit
from ostinato.web.events import Count
from ostinato.web.lists import (
    Form,
    Instant,
    NoQuery,
    Paged,
    instant,
    page_answer,
    page_of,
    read_query,
)
from ostinato.web.operation import JSON, Operations

doors = Operations("dead letters")

Kind = Annotated[str | None, Meta(description=", ".join(KINDS))]


class LetterList(Paged, rename="camel", kw_only=True):
    kind: Kind = None
    target: str | None = None
    since: Instant = None
    text: str | None = None
    redriven: bool = False


class LetterCount(Struct, forbid_unknown_fields=True, rename="camel"):
    kind: Kind = None
    target: str | None = None
    since: Instant = None
    text: str | None = None
    redriven: bool = False


class Where(Struct, forbid_unknown_fields=True):
    """None of it: every letter that was not redriven yet."""

    kind: Kind = None
    target: str | None = None
    since: Instant = None
    text: str | None = None


class RedriveLetters(Struct, forbid_unknown_fields=True, rename="camel"):
    ids: list[str] | None = None
    where: Where | None = None
    dry_run: bool = False
    limit: Annotated[int, Meta(ge=1, le=1000)] | None = None
    cursor: str | None = None


@doors.get("/dead-letters", may="letter:read", query=LetterList, answers={200: list[LetterView]})
async def list_dead_letters(request: Request) -> Response:
    """List what could not be processed, newest first; with `redriven=true` what was mended."""
    query = read_query(request, LetterList)
    wanted = _wanted(request, query, query.redriven)
    found = await door_of(request).app.dead_letters(wanted, page_of(query, Form.LETTER))
    return page_answer(request, query, found, place_of_letter, letter_view, weight_of_letter)


@doors.get("/dead-letters/count", may="letter:read", query=LetterCount, answers={200: Count})
async def count_dead_letters(request: Request) -> Response:
    """Count dead letters."""
    query = read_query(request, LetterCount)
    wanted = _wanted(request, query, query.redriven)
    return json_answer({"count": await door_of(request).app.count_dead_letters(wanted)})


@doors.get("/dead-letters/{id}", may="letter:read", query=NoQuery, answers={200: LetterView})
async def get_dead_letter(request: Request) -> Response:
    """Show a dead letter: its event, every reason, what became of it."""
    read_query(request, NoQuery)
    letter = await door_of(request).app.dead_letter(request.path_params["id"])
    return json_answer(letter_view(letter))


@doors.post(
    "/dead-letters/redrive",
    may="letter:write",
    bodies={JSON: RedriveLetters},
    answers={200: Redrives},
)
async def redrive_dead_letters(request: Request) -> Response:
    """Try dead letters again, oldest first: by `ids`, or all that fit `where`.

    Each is judged by what is deployed now. What still does not fit stays, with its new reasons. At
    most `limit` at once; `cursor` in the answer, sent again with the same `where`, goes on.
    """
    door = door_of(request)
    asked = decode(await read_body(request, door.bounds.body), RedriveLetters)
    if (asked.ids is None) == (asked.where is None) or asked.ids == []:
        raise unfit("say which: `ids` (at least one), or `where` ({} is all)", "ids")
    where = None if asked.where is None else _wanted(request, asked.where, False)
    done = await door.app.redrive(
        *(asked.ids or ()),
        where=where,
        dry_run=asked.dry_run,
        by=caller_of(request).name,
        limit=asked.limit,
        cursor=asked.cursor,
    )
    return json_answer(done)


def _wanted(
    request: Request, query: LetterList | LetterCount | Where, redriven: bool
) -> LetterQuery:
    if query.kind is not None and query.kind not in KINDS:
        raise unfit(f"{query.kind[:40]!r} is none", "kind", "known are " + ", ".join(KINDS))
    since = instant(query.since, "since", door_of(request).app.now())
    return LetterQuery(query.kind, query.target, since, query.text, redriven)
