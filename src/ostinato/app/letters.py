"""The verbs about dead letters: list, count, show, redrive."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from ostinato.app.pages import heavy_page, light, place_of_letter, weight_of_letter
from ostinato.app.reading import Reading
from ostinato.core.cloudevents import to_json
from ostinato.core.views import View
from ostinato.errors import NotFoundError, UsageError
from ostinato.ports import DeadLetter, LetterQuery, Page
from ostinato.runtime.letters import Redrive, Redriven, judged, reasons_of

MOST = 1_000
"""Letters that one call redrives; its cursor says where the next one goes on."""


class LetterView(View, omit_defaults=False):
    id: str
    at: int
    kind: str
    target: str
    event: dict[str, Any] | None
    event_id: str
    event_source: str
    reasons: list[dict[str, Any]]
    run: str | None
    attempts: int
    redriven_at: int | None
    redriven_by: str | None
    redriven_run: str | None


class Redrives(View, omit_defaults=False):
    """``matched`` letters were looked at; ``cursor``: there are more."""

    matched: int
    redriven: int
    letters: list[Redriven]
    cursor: str | None = None


def letter_view(letter: DeadLetter) -> LetterView:
    return LetterView(
        id=letter.id,
        at=letter.at,
        kind=letter.kind,
        target=letter.target,
        event=None if letter.event is None else to_json(letter.event),
        event_id=letter.event_id,
        event_source=letter.event_source,
        reasons=msgspec.json.decode(letter.reasons),
        run=letter.run_id,
        attempts=letter.attempts,
        redriven_at=letter.redriven_at,
        redriven_by=letter.redriven_by,
        redriven_run=letter.redriven_run,
    )


class Letters(Reading):
    async def dead_letters(
        self, query: LetterQuery | None = None, page: Page | None = None
    ) -> list[DeadLetter]:
        """Newest first. A page ends early when it is ``HEAVY``."""
        read = partial(self.storage.dead_letters, query or LetterQuery())
        return await heavy_page(page or Page(), read, weight_of_letter, place_of_letter)

    async def count_dead_letters(self, query: LetterQuery | None = None) -> int:
        return await self.storage.count_dead_letters(query or LetterQuery())

    async def dead_letter(self, letter_id: str) -> DeadLetter:
        letter = await self.storage.dead_letter(letter_id)
        if letter is None:
            raise NotFoundError(f"there is no dead letter {letter_id!r}")
        return letter

    async def redrive(
        self,
        *ids: str,
        where: LetterQuery | None = None,
        dry_run: bool = False,
        by: str = "",
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Redrives:
        """Try letters again, by their ids or all that fit ``where``, oldest first.

        Of those that fit at most ``limit`` at once (``MOST``); the answer's ``cursor`` leads to
        the rest. Repeating it is harmless: a letter is redriven once. Raises ``NotFoundError``.
        """
        letters, cursor = await self._chosen(ids, where, limit, cursor)
        if dry_run:
            done = [await self._would(letter) for letter in letters]
        else:
            await self.service.headroom.wait()
            done = await asyncio.gather(*(self._redrive(letter.id, by) for letter in letters))
        count = sum(one.outcome in ("redriven", "would") for one in done)
        return Redrives(matched=len(done), redriven=count, letters=list(done), cursor=cursor)

    async def _chosen(
        self, ids: Sequence[str], where: LetterQuery | None, limit: int | None, cursor: str | None
    ) -> tuple[list[DeadLetter], str | None]:
        refuse_unclear(ids, where, limit, cursor)
        limit = MOST if limit is None else limit
        if where is None:
            return [await self.dead_letter(letter_id) for letter_id in dict.fromkeys(ids)], None
        open_ones = replace(where, redriven=False, oldest_first=True)
        found = await self.dead_letters(open_ones, Page(limit + 1, cursor))
        chosen = found[: light(found[:limit], weight_of_letter)]
        return chosen, place_of_letter(chosen[-1]) if len(found) > len(chosen) else None

    async def _redrive(self, letter_id: str, by: str) -> Redriven:
        service = self.service
        done: Redriven = await service.ask(
            lambda answer: Redrive(service.starter, self._catalog, letter_id, by, answer)
        )
        return done

    async def _would(self, letter: DeadLetter) -> Redriven:
        if letter.redriven_at is not None:
            return Redriven(id=letter.id, outcome="already")
        fitting = await judged(self.service.engine, self._catalog, letter)
        reasons = reasons_of(fitting.reasons)
        return Redriven(id=letter.id, outcome="stays" if reasons else "would", reasons=reasons)


def refuse_unclear(
    ids: Sequence[str], where: LetterQuery | None, limit: int | None, cursor: str | None
) -> None:
    if bool(ids) == (where is not None):
        raise UsageError("say which dead letters: their ids, or `where`")
    if ids and (limit is not None or cursor is not None):
        raise UsageError("`limit` and `cursor` go with `where`: of dead letters by id, all are")
    if len(ids) > MOST or not (limit is None or 0 < limit <= MOST):
        raise UsageError(f"at most {MOST:,} dead letters are redriven at once")
