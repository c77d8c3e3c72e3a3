"""Moving house: everything in one store, running runs included, to another one.

Nobody uses either meanwhile. The other one holds all of it, compared row by row and its histories
judged, or nothing: what breaks off has never been, and moving again begins anew.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from hashlib import sha256
from time import monotonic
from typing import Any

from ostinato.app.checking import Violation
from ostinato.app.judged import judged
from ostinato.app.wiring import source_of, target_of
from ostinato.core.instants import format_instant
from ostinato.core.views import View
from ostinato.definitions.registry import Registry
from ostinato.errors import ConflictError, StoreError, UnknownCommit, UsageError
from ostinato.ports import Version
from ostinato.runtime.clock import SystemClock
from ostinato.storage import rows
from ostinato.storage.moving import KIND, KINDS, Kind, Moved, Row, Source, Target, next_lot

Told = Callable[[str, str, int, int], None]
"""What is done (copy, compare, judge), with which table, rows so far, rows in all."""

_NAMED = 5
"""Rows of a table that differ which are named."""


class MovedView(View, omit_defaults=False):
    """``rows`` by table; ``runs`` whose histories were judged, ``open`` those that go on;
    ``violations`` what is wrong with them, and was before. ``again``: it had been moved already.
    """

    source: str
    target: str
    rows: dict[str, int]
    runs: int
    open: int
    violations: list[str]
    again: bool
    seconds: float


async def move_store(
    source_url: str, target_url: str, *, faulty: bool = False, told: Told = lambda *_: None
) -> MovedView:
    """``faulty``: also when a history is wrong, in the source as well.

    Raises ``StoreLocked``, ``ConflictError`` (the target is not empty; a row differs, a history is
    wrong), ``StoreError``.
    """
    source, target = source_of(source_url), target_of(target_url)
    if source.place == target.place:
        raise UsageError(f"{source.place} is both source and target: name another target")
    return await _Move(source, target, faulty, told).run()


async def unmove_store(url: str, to: str | None = None, *, force: bool = False) -> Moved | None:
    """Take back what a store says of having been moved; None when it says nothing.

    What it holds has to be old no more: where it went to nothing may have happened since. ``to``
    is how that is reached, when the store's own word is not enough, as it names no password;
    ``force``: nobody looks there.

    Raises ``StoreLocked`` while a server is at work there, ``ConflictError`` when it has gone on,
    ``StoreError`` when it cannot be looked at.
    """
    source = source_of(url)
    try:
        await source.open()
        moved = await source.moved()
        if moved is not None and not force:
            await _refuse_gone_on(source, moved, to)
        if moved is not None:
            await source.mark(None)
        return moved
    finally:
        await source.close()


async def _refuse_gone_on(source: Source, moved: Moved, to: str | None) -> None:
    target = target_of(to or moved.to)
    if target.place != moved.to:
        raise UsageError(f"{source.place} was moved to {moved.to}, not to {target.place}")
    try:
        await target.open()
        if any((await target.counts()).values()):
            await _Move(source, target, False, lambda *_: None).compare_again(moved)
    except StoreError as error:
        raise StoreError(
            f"whether anything has happened at {moved.to} cannot be seen: {error}; --to says how "
            "it is reached, with its password; --force takes back without a look"
        ) from error
    finally:
        await target.close()


class _Move:
    def __init__(self, source: Source, target: Target, faulty: bool, told: Told) -> None:
        self._source = source
        self._target = target
        self._faulty = faulty
        self._told = told
        self._began = monotonic()

    async def run(self) -> MovedView:
        try:
            await self._source.open()
            await self._target.open()
            return await self._run()
        finally:
            await self._target.close()
            await self._source.close()

    async def _run(self) -> MovedView:
        source, target = self._source, self._target
        moved, counts = await source.moved(), await source.counts()
        held = {name: count for name, count in (await target.counts()).items() if count}
        self._may(moved, held)
        if not held:
            await self._copy(counts)
        await self._compare(counts, moved if held else None)
        view = await self._judge(counts, again=bool(held))
        if not held:
            await self._finish()
        view.seconds = round(monotonic() - self._began, 3)
        return view

    async def compare_again(self, moved: Moved) -> None:
        """Raises ``ConflictError`` when the target has gone on since it was moved to."""
        try:
            await self._compare(await self._source.counts(), moved)
        except ConflictError as error:
            target = self._target.place
            raise ConflictError(
                f"{target} has gone on since {format_instant(moved.at)}, with "
                f"{error.details['which']}: runs would go on from what is old, and do things "
                f"twice; move them back, with --from {target} and --to a store that is empty, or "
                "forget what happened there with --undo --force"
            ) from None

    def _may(self, moved: Moved | None, held: dict[str, int]) -> None:
        source, target = self._source.place, self._target.place
        if moved is not None and moved.to != target:
            raise ConflictError(
                f"{source} was moved to {moved.to} on {format_instant(moved.at)}: what it holds is "
                f"old; move that one, or `ostinato migrate-store --undo --from {source}`"
            )
        if held and moved is None:
            there = ", ".join(f"{count:,} {name}" for name, count in held.items())
            raise ConflictError(
                f"{target} is not empty, it has rows: {there}; nothing was changed; name an empty "
                "database or a file that is not there yet"
            )

    async def _copy(self, counts: dict[str, int]) -> None:
        for kind in KINDS:
            done, total = 0, counts.get(kind.name, 0)
            async for lot in self._given(kind):
                if kind.name == "value":
                    self._check_values(lot)
                await self._target.write(kind, lot, self._source.value)
                done += len(lot)
                self._told("copy", kind.name, done, total)

    async def _given(self, kind: Kind) -> AsyncIterator[Sequence[Row]]:
        """As they are to be in the target."""
        async for lot in self._source.rows(kind):
            for row in lot:
                kind.check(self._source.place, row)
            yield self._target.fitting(kind, lot)

    def _check_values(self, lot: Sequence[Row]) -> None:
        for digest, data in lot:
            if sha256(data).digest() != digest:
                raise StoreError(
                    f"{self._source.place}: value {digest.hex()[:16]}… is not what it was: "
                    "something else has written there; bring the store back from a copy"
                )

    async def _compare(self, counts: dict[str, int], moved: Moved | None) -> None:
        """Both are read again, side by side; ``moved``: long ago."""
        held = await self._target.counts()
        differ = [name for name, count in counts.items() if held.get(name, 0) != count]
        for kind in KINDS:
            done, total = 0, counts.get(kind.name, 0)
            theirs = self._target.rows(kind)
            async for lot in self._given(kind):
                found = await next_lot(theirs)
                if kind.name in differ or list(found) != list(lot):
                    raise self._differs(kind, lot, found, moved)
                done += len(lot)
                self._told("compare", kind.name, done, total)
            if (more := await next_lot(theirs)) or kind.name in differ:
                raise self._differs(kind, (), more, moved)

    def _differs(
        self, kind: Kind, wanted: Sequence[Row], found: Sequence[Row], moved: Moved | None
    ) -> Exception:
        named = {kind.name_of(row) for row in {*wanted} ^ {*found}}
        which = "; ".join(sorted(named)[:_NAMED]) or f"the number of rows of {kind.name}"
        if moved is not None:
            return ConflictError(
                f"{self._source.place} was moved on {format_instant(moved.at)}, and "
                f"{self._target.place} has gone on since ({which}): there is nothing left to do",
                which=which,
            )
        return StoreError(
            f"{self._target.place} holds something else than {self._source.place}: {which}; "
            "nothing was changed: run this again, and report it when it comes again"
        )

    async def _judge(self, counts: dict[str, int], *, again: bool) -> MovedView:
        registry: Registry[Version] = Registry(most_deaths=1)
        async for lot in self._target.rows(KIND["version"]):
            registry.add([rows.version(row) for row in lot])
        self._told("judge", "history", 0, counts["history"])
        found = await judged(self._target, registry.graph)
        self._told("judge", "history", counts["history"], counts["history"])
        if found.wrong and not self._faulty:
            raise self._wrong(found.violations, found.wrong)
        return MovedView(
            source=self._source.place,
            target=self._target.place,
            rows=counts,
            runs=found.runs,
            open=found.open,
            violations=[str(one) for one in found.violations],
            again=again,
            seconds=0.0,
        )

    def _wrong(self, violations: Sequence[Violation], count: int) -> ConflictError:
        named = "; ".join(map(str, violations[:_NAMED]))
        return ConflictError(
            f"{count:,} things are wrong with what {self._source.place} holds: {named}; nothing "
            "was moved; mend these runs there, or move them as they are with --faulty"
        )

    async def _finish(self) -> None:
        """The source says it first: two stores with the same runs never both go on."""
        moved = Moved(self._target.place, SystemClock().now())
        await self._source.mark(moved)
        try:
            await self._target.finish()
        except UnknownCommit:
            raise
        except BaseException:
            await self._source.mark(None)
            raise


__all__: list[Any] = ["MovedView", "Told", "move_store", "unmove_store"]
