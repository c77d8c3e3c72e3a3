"""Repairs of a set: dead letters where they lie, repairs of many runs as one in each store.

Such a repair has one token, made of those of the stores: ``1:…,2:…``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from msgspec import UNSET, structs

from ostinato.app.bulk import FASTEST, REASONS, SAMPLE, SLOWEST, OperationView, Preview, check_pace
from ostinato.app.letters import MOST, Redrives, refuse_unclear
from ostinato.app.pages import heavy_page, light, place_of_letter, weight_of_letter
from ostinato.app.shards import merging
from ostinato.app.shards.part import Part
from ostinato.app.shards.working import Working
from ostinato.errors import NotFoundError, Problem
from ostinato.ports import DeadLetter, LetterQuery, Operation, Page, RunFilter
from ostinato.runtime.janitor import Cleaned
from ostinato.runtime.letters import Redriven, reasons_of
from ostinato.runtime.posts import Pair

T = TypeVar("T")


class Shards(Working):
    """The verbs of an app that has several stores."""

    async def dead_letters(
        self, query: LetterQuery | None = None, page: Page | None = None
    ) -> list[DeadLetter]:
        read = partial(self._letters, query or LetterQuery())
        return await heavy_page(page or Page(), read, weight_of_letter, place_of_letter)

    async def _letters(self, query: LetterQuery, page: Page) -> list[DeadLetter]:
        lots = await self.all(lambda part: part.storage.dead_letters(query, page))
        place = lambda letter: (letter.at, letter.id)  # noqa: E731
        return merging.merged(lots, place, page.limit, oldest_first=query.oldest_first)

    async def count_dead_letters(self, query: LetterQuery | None = None) -> int:
        return sum(await self.all(lambda part: part.count_dead_letters(query)))

    async def dead_letter(self, letter_id: str) -> DeadLetter:
        number = await self._letter_owner(letter_id)
        return await self.at(number, lambda part: part.dead_letter(letter_id))

    async def _letter_owner(self, letter_id: str) -> int:
        has = partial(_has_letter, letter_id)
        return await self.owner("letter", letter_id, has) or 0

    async def redrive(
        self,
        *ids: str,
        where: LetterQuery | None = None,
        dry_run: bool = False,
        by: str = "",
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Redrives:
        refuse_unclear(ids, where, limit, cursor)
        if where is None:
            chosen, behind = list(dict.fromkeys(ids)), None
        else:
            chosen, behind = await self._chosen(where, MOST if limit is None else limit, cursor)
        owners = [await self._letter_owner(letter_id) for letter_id in chosen]
        told = dict[str, Redriven]()
        for number in sorted(set(owners)):
            mine = [one for one, owner in zip(chosen, owners, strict=True) if owner == number]
            told |= await self._misplaced(number, mine)
            mine = [letter_id for letter_id in mine if letter_id not in told]
            if not mine:
                continue
            redriving = partial(_redriven, mine, dry_run, by)
            done = await self.at(number, redriving)
            told |= {one.id: one for one in done.letters}
        count = sum(one.outcome in ("redriven", "would") for one in told.values())
        letters = [told[letter_id] for letter_id in chosen]
        return Redrives(matched=len(letters), redriven=count, letters=letters, cursor=behind)

    async def _misplaced(self, number: int, ids: Sequence[str]) -> dict[str, Redriven]:
        """Those that would start a run under a key that belongs elsewhere: it would not be one."""
        told = dict[str, Redriven]()
        for letter_id in ids:
            letter = await self.at(number, partial(_letter, letter_id))
            if letter.redriven_at is not None:
                continue
            for key, uid in await self.at(number, partial(_letter_keys, letter)):
                if (home := await self.key_home(key, uid=uid)) != number:
                    why = f"{key[1]!r} belongs in {self.named(home)}, and this letter lies in "
                    mend = f"{self.named(number)}: send its event again, under another id"
                    reasons = reasons_of([Problem(why + mend)])
                    told[letter_id] = Redriven(id=letter_id, outcome="stays", reasons=reasons)
        return told

    async def _chosen(
        self, where: LetterQuery, limit: int, cursor: str | None
    ) -> tuple[list[str], str | None]:
        open_ones = replace(where, redriven=False, oldest_first=True)
        found = await self.dead_letters(open_ones, Page(limit + 1, cursor))
        chosen = found[: light(found[:limit], weight_of_letter)]
        behind = place_of_letter(chosen[-1]) if len(found) > len(chosen) else None
        return [letter.id for letter in chosen], behind

    async def clean(self) -> Cleaned:
        each = [structs.asdict(one) for one in await self.all(lambda part: part.clean())]
        return Cleaned(**{name: sum(one[name] for one in each) for name in each[0]})

    # many runs at once

    async def preview_bulk(
        self, action: str, where: RunFilter, *, job: str = "", output: Any = UNSET,
        now: int | None = None,
    ) -> Preview:  # fmt: skip
        now = self.now() if now is None else now
        each = await self.all(
            lambda part: part.preview_bulk(action, where, job=job, output=output, now=now)
        )
        fits = [number for number, one in enumerate(each) if one.matched] or [0]
        samples = sorted((run for one in each for run in one.sample), key=lambda run: run.id)
        return Preview(
            action=action, where=where, matched=sum(one.matched for one in each),
            sample=samples[::-1][:SAMPLE],
            preview_token=",".join(f"{n + 1}:{each[n].preview_token}" for n in fits),
            expires_at=min(one.expires_at for one in each),
        )  # fmt: skip

    async def previewed(self, token: str) -> Operation:
        [first, *_] = await self._each(token, lambda part, own: part.previewed(own))
        return first

    async def start_bulk(
        self, token: str, *, rate: float = 10.0, by: str = "", why: str = "",
        action: str | None = None, where: RunFilter | None = None, job: str | None = None,
        output: Any = UNSET,
    ) -> OperationView:  # fmt: skip
        check_pace(rate, why)
        previews = await self._each(token, lambda part, own: part.previewed(own))
        share = rate / max(1, sum(one.matched for one in previews))
        rates = {one.id: min(max(SLOWEST, share * one.matched), FASTEST) for one in previews}

        async def begin(part: Part, own: str) -> OperationView:
            return await part.start_bulk(
                own, rate=rates[own] or rate, by=by, why=why, action=action, where=where, job=job,
                output=output,
            )  # fmt: skip

        return _one(token, await self._each(token, begin))

    async def operations(self, page: Page | None = None) -> list[OperationView]:
        """Those of each store on their own: which belong together, nobody keeps."""
        page = page or Page()
        lots = await self.all(lambda part: part.operations(page))
        return merging.merged(lots, lambda one: one.id, page.limit)

    async def operation(self, operation_id: str) -> OperationView:
        each = await self._each(operation_id, lambda part, own: part.operation(own))
        return _one(operation_id, each)

    async def stop_operation(
        self, operation_id: str, *, by: str = "", why: str = ""
    ) -> OperationView:
        async def stop(part: Part, own: str) -> OperationView:
            return await part.stop_operation(own, by=by, why=why)

        return _one(operation_id, await self._each(operation_id, stop))

    async def _each(self, token: str, work: Callable[[Part, str], Awaitable[T]]) -> list[T]:
        """Of an id that has no numbers, whoever has it."""
        named = [part.partition(":") for part in token.split(",")]
        if not all(sign for _, sign, _ in named):
            has = partial(_has_operation, token)
            number = await self.owner("operation", token, has) or 0
            return [await self.at(number, lambda part: work(part, token))]
        numbers = [self._number(text) for text, _, _ in named]
        doing = (
            self.at(number, partial(_with, work, own))
            for number, (_, _, own) in zip(numbers, named, strict=True)
        )
        return list(await asyncio.gather(*doing))

    def _number(self, text: str) -> int:
        if text.isdecimal() and 0 < int(text[:9]) <= len(self.parts):
            return int(text) - 1
        raise NotFoundError(f"{text[:80]!r} is no number of a store here")


async def _with(work: Callable[[Part, str], Awaitable[T]], own: str, part: Part) -> T:
    return await work(part, own)


async def _redriven(ids: Sequence[str], dry_run: bool, by: str, part: Part) -> Redrives:
    return await part.redrive(*ids, dry_run=dry_run, by=by)


async def _letter(letter_id: str, part: Part) -> DeadLetter:
    return await part.dead_letter(letter_id)


async def _letter_keys(letter: DeadLetter, part: Part) -> list[tuple[Pair, bool]]:
    return await part.letter_keys(letter)


async def _has_letter(letter_id: str, part: Part) -> bool:
    return await part.storage.dead_letter(letter_id) is not None


async def _has_operation(operation_id: str, part: Part) -> bool:
    return await part.storage.operation(operation_id) is not None


def _one(name: str, each: Sequence[OperationView]) -> OperationView:
    """Counts add up. It runs while any of them does."""
    first = each[0]
    statuses = [one.status for one in each]
    ends = [one.ended_at for one in each]
    return structs.replace(
        first,
        id=name,
        status=next((one for one in ("running", "stopped") if one in statuses), first.status),
        rate=sum(one.rate for one in each),
        matched=sum(one.matched for one in each),
        done=sum(one.done for one in each),
        refused=sum(one.refused for one in each),
        passed=sum(one.passed for one in each),
        left=sum(one.left for one in each),
        reasons=sorted(
            (why for one in each for why in one.reasons), key=lambda why: -why.count
        )[:REASONS],
        ended_at=None if None in ends else max(end for end in ends if end is not None),
    )  # fmt: skip
