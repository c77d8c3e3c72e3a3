"""What a store says about the set of stores that it belongs to; most belong to none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ostinato.core.shards import Mark, Marks, Place, refuse_alone, refuse_outgrown
from ostinato.errors import ConflictError
from ostinato.ports import EventQuery, Page, Reply, RunQuery, Storage
from ostinato.runtime.change import Change
from ostinato.runtime.engine import Engine
from ostinato.runtime.posts import Post

SCOPE = "shards"
"""Of these rows, among the answers to idempotency keys."""

FOR_EVER = 1 << 52
"""Milliseconds."""


async def marks_of(storage: Storage) -> Marks:
    return Marks(
        place=await _place(storage),
        counts=await _sizes(storage, "count"),
        begun=await _sizes(storage, "begun"),
        empty=await _is_empty(storage),
    )


async def refuse_part(storage: Storage, name: str) -> None:
    """Raises ``SettingsError`` for a store that works with others."""
    if await _place(storage) is not None:
        refuse_alone(await marks_of(storage), name)


async def refuse_fewer(storage: Storage, stores: int, name: str) -> None:
    """For a process that works with so many ``stores``, and has just taken partitions of one of
    them; ``storage`` is the first. Raises ``SettingsError`` when there are more by now,
    ``ConflictError`` as long as another process is there that works with more.

    Who adds a store is there with the longer list before it looks whether anybody has partitions
    with a shorter one, and writes down the count after that. This looks the other way round, so of
    the two one at least sees the other.
    """
    others = () if storage.members is None else (await storage.members.roll()).seats
    counts = await _sizes(storage, "count")
    refuse_outgrown(counts, stores, name)
    for seat in others:
        if seat.stores > stores and (seat.partitions or not seat.late):
            raise ConflictError(
                f"process {seat.id} at {seat.address} works with {seat.stores} stores, and this "
                f"one with {stores}: start it with all of them, or let that one stop first"
            )


async def _place(storage: Storage) -> Place | None:
    found = await _said(storage, "place")
    if found is None:
        return None
    number, _, of = found.partition(" ")
    return Place(of, int(number))


async def _sizes(storage: Storage, kind: str) -> tuple[int, ...]:
    sizes: list[int] = []
    while (found := await _said(storage, f"{kind} {len(sizes)}")) is not None:
        sizes.append(int(found))
    return tuple(sizes)


async def _said(storage: Storage, key: str) -> str | None:
    found = await storage.reply(SCOPE, key, 0)
    return None if found is None else found.answer.decode()


async def _is_empty(storage: Storage) -> bool:
    return not (
        await storage.versions()
        or await storage.runs(RunQuery(), Page(1))
        or await storage.events(EventQuery(), Page(1))
    )


class Say(Post):
    """Write marks down; ``now`` is what the store says before that."""

    __slots__ = ("said",)

    def __init__(self, marks: Sequence[Mark], now: Marks, answer: Any) -> None:
        super().__init__(answer)
        self.said: dict[str, str] = {}
        for mark in marks:
            if mark.place is not None:
                self.said["place"] = f"{mark.place.number} {mark.place.set}"
            if mark.begun is not None:
                self.said[f"begun {len(now.begun)}"] = str(mark.begun)
            if mark.count is not None:
                self.said[f"count {len(now.counts)}"] = str(mark.count)

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        change.rows.replies += [
            Reply(SCOPE, key, "", text.encode(), now, FOR_EVER) for key, text in self.said.items()
        ]
