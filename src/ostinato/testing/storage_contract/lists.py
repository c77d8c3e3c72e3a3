"""What lists and pages read: filters, cursors that hold while rows come in, documents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ostinato.errors import Refused, UsageError
from ostinato.ports import EventQuery, LetterQuery, Page, RunQuery, Storage
from ostinato.testing.storage_contract.hooks import Hooks, raises, write
from ostinato.testing.storage_contract.samples import (
    NOW,
    accepted,
    ended,
    event,
    head,
    letter,
    record,
    version,
)

HEADS = [
    head("r1", uid="u_1", busy=True),
    head("r2", workflow="bill", status="waiting", waiting_for="event"),
    ended("r3", "failed", error_name="E", error_message="50% OF it"),
    ended("s4", "failed", ended_at=NOW + 20, workflow="50x", uid="ux1"),
    ended("s5"),
]

LETTERS = [
    letter("a", NOW),
    letter("b", NOW + 1, target="bill/on/1", event=event(type="ORDER_SENT")),
    letter("c", NOW + 2, kind="outgoing", target="r1", event=None),
]
LETTERS_FOUND = [
    (LetterQuery(), ["c", "b", "a"]),
    (LetterQuery(kind="trigger"), ["b", "a"]),
    (LetterQuery(kind="trigger", target="bill/on/1"), ["b"]),
    (LetterQuery(since=NOW + 1), ["c", "b"]),
    (LetterQuery(redriven=True), ["a"]),
    (LetterQuery(redriven=False), ["c", "b"]),
    (LetterQuery(text="bill"), ["b"]),
    (LetterQuery(text="order_s"), ["b"]),
    (LetterQuery(text="NO"), ["c", "b", "a"]),
    (LetterQuery(text="%"), []),
]


class ListPromises(Hooks):
    async def test_runs_come_newest_first(self) -> None:
        assert await self._found(RunQuery()) == ["s5", "s4", "r3", "r2", "r1"]

    async def test_runs_are_narrowed_by_every_member_given(self) -> None:
        assert await self._found(RunQuery(status=("failed", "waiting"))) == ["s4", "r3", "r2"]
        assert await self._found(RunQuery(status=("paused",))) == []
        assert await self._found(RunQuery(workflow="bill")) == ["r2"]
        assert await self._found(RunQuery(uid="u_1")) == ["r1"]
        assert await self._found(RunQuery(waiting_for="event")) == ["r2"]
        assert await self._found(RunQuery(failed_since=NOW + 9)) == ["s4", "r3"]
        assert await self._found(RunQuery(failed_since=NOW + 10)) == ["s4"]
        assert await self._found(RunQuery(status=("failed",), workflow="order")) == ["r3"]

    async def test_a_run_is_found_by_the_start_of_its_id(self) -> None:
        assert await self._found(RunQuery(id_prefix="s")) == ["s5", "s4"]
        assert await self._found(RunQuery(id_prefix="S")) == []
        assert await self._found(RunQuery(id_prefix="%")) == []
        assert await self._found(RunQuery(id_prefix="")) == ["s5", "s4", "r3", "r2", "r1"]

    async def test_a_run_is_found_by_a_part_of_its_texts(self) -> None:
        assert await self._found(RunQuery(text="ILL")) == ["r2"]
        assert await self._found(RunQuery(text="50% of")) == ["r3"]
        assert await self._found(RunQuery(text="50")) == ["s4", "r3"]
        assert await self._found(RunQuery(text="u_1")) == ["r1"]
        assert await self._found(RunQuery(text="s4")) == ["s4"]
        assert await self._found(RunQuery(text="\\")) == []

    async def test_a_page_of_runs_is_not_moved_by_new_ones(self) -> None:
        async with self.opened() as storage:
            await write(storage, new_heads=HEADS[:4])
            first = await storage.runs(RunQuery(), Page(limit=2))
            await write(storage, new_heads=[HEADS[4], head("z9")])
            rest = await storage.runs(RunQuery(), Page(limit=9, cursor=first[-1].run_id))
            assert [run.run_id for run in first + rest] == ["s4", "r3", "r2", "r1"]

    async def test_events_come_newest_first_and_narrowed(self) -> None:
        async with self.opened() as storage:
            await _write_events(storage)
            assert await _event_ids(storage, EventQuery()) == ["e4", "e3", "e1", "e2"]
            assert await _event_ids(storage, EventQuery(type="PAID")) == ["e3", "e1"]
            assert await _event_ids(storage, EventQuery(source="shop/a")) == ["e4", "e2"]
            assert await _event_ids(storage, EventQuery(since=NOW + 1)) == ["e4", "e3"]
            both = EventQuery(type="PAID", since=NOW + 1)
            assert await _event_ids(storage, both) == ["e3"]
            assert await storage.count_events(both) == 1
            assert await storage.count_events(EventQuery()) == 4

    async def test_a_page_of_events_is_not_moved_by_new_ones(self) -> None:
        async with self.opened() as storage:
            await _write_events(storage)
            seen: list[str] = []
            page = Page(limit=1)
            while found := await storage.events(EventQuery(), page):
                last = found[-1]
                cursor = f"{last.received_at}/{last.event.source}/{last.event.id}"
                seen.append(last.event.id)
                page = replace(page, cursor=cursor)
                await write(storage, events=[accepted(f"new{len(seen)}", NOW + 100)])
            assert seen == ["e4", "e3", "e1", "e2"]

    async def test_a_cursor_that_is_none_is_refused_with_a_reason(self) -> None:
        async with self.opened() as storage:
            for cursor in ("x", "x/y/z", "", "-1/a/b"):
                page = Page(cursor=cursor)
                await raises(UsageError, storage.events(EventQuery(), page))

    async def test_events_of_one_id_come_from_every_source(self) -> None:
        async with self.opened() as storage:
            mine = [accepted(source="a"), accepted(source="b")]
            await write(storage, events=[mine[1], accepted("e2"), mine[0]])
            assert await storage.events_by_id("e1") == mine
            assert await storage.events_by_id("e9") == []

    async def test_dead_letters_page(self) -> None:
        async with self.opened() as storage:
            letters = [letter("c", NOW), letter("a", NOW + 1), letter("b", NOW)]
            await write(storage, dead_letters=letters)
            first = await storage.dead_letters(LetterQuery(), Page(limit=2))
            assert first == [letter("a", NOW + 1), letter("c", NOW)]
            await write(storage, dead_letters=[letter("d", NOW + 2)])
            rest = await storage.dead_letters(LetterQuery(), Page(cursor=f"{NOW}/c"))
            assert rest == [letter("b", NOW)]
            oldest = LetterQuery(oldest_first=True)
            ahead = [one.id for one in await storage.dead_letters(oldest, Page(limit=2))]
            behind = Page(cursor=f"{NOW}/c")
            ahead += [one.id for one in await storage.dead_letters(oldest, behind)]
            assert ahead == ["b", "c", "a", "d"]
            gone = await storage.dead_letters(oldest, Page(cursor=f"{NOW}/bb"))
            assert [one.id for one in gone] == ["c", "a", "d"]
            await raises(UsageError, storage.dead_letters(oldest, Page(cursor="c")))

    async def test_a_dead_letter_comes_back_as_it_was_given(self) -> None:
        full = event("e7", subject="s", extensions={"tenant": "ä"}, description="why")
        whole = letter(kind="consumer", target="c", event=full, run_id="r1", attempts=3)
        bare = letter("l2", event=None)
        async with self.opened() as storage:
            await write(storage, dead_letters=[whole, bare])
            assert await storage.dead_letter("l1") == whole
            assert await storage.dead_letter("l2") == bare
            assert await storage.dead_letter("l3") is None

    async def test_dead_letters_are_narrowed_by_every_member_given(self) -> None:
        async with self.opened() as storage:
            await write(storage, dead_letters=LETTERS)
            await write(storage, redriven=[replace(LETTERS[0], redriven_at=NOW)])
            for query, found in LETTERS_FOUND:
                letters = await storage.dead_letters(query, Page())
                assert [one.id for one in letters] == found, query
                assert await storage.count_dead_letters(query) == len(found)

    async def test_a_dead_letter_is_redriven_once(self) -> None:
        mended = replace(
            letter(), attempts=2, redriven_at=NOW + 5, redriven_by="me", redriven_run="r9"
        )
        async with self.opened() as storage:
            await write(storage, dead_letters=[letter()])
            misfit = replace(letter(), attempts=2, reasons=b'[{"message": "nor"}]')
            await write(storage, redriven=[misfit])
            assert await storage.dead_letter("l1") == misfit
            await write(storage, redriven=[mended])
            assert await storage.dead_letter("l1") == mended
            twice = [letter("l2"), mended, letter("l3")]
            await raises(Refused, write(storage, redriven=[mended]))
            await raises(Refused, write(storage, redriven=[letter("l9")], records=[record()]))
            await raises(Refused, write(storage, dead_letters=twice))
            assert await storage.history("r1") == []

    async def test_versions_stay_when_their_workflow_retires(self) -> None:
        async with self.opened() as storage:
            await write(storage, versions=[version(2), version(1), version(1, "bill")])
            await write(storage, retired=[("order", 1), ("nobody", 1), ("order", 9)])
            gone = replace(version(1), retired=True)
            assert await storage.versions() == [version(1, "bill"), gone, version(2)]

    async def test_a_version_stored_again_comes_back(self) -> None:
        async with self.opened() as storage:
            await write(storage, versions=[version(1)])
            await write(storage, retired=[("order", 1)], versions=[version(1), version(2)])
            assert await storage.versions() == [version(1), version(2)]

    async def test_a_version_is_one_document_for_ever(self) -> None:
        async with self.opened() as storage:
            await write(storage, versions=[version(1)], retired=[("order", 1)])
            await raises(Refused, write(storage, versions=[version(1, digest="other")]))
            await raises(Refused, write(storage, versions=[version(2), version(2, digest="x")]))
            assert await storage.versions() == [version(1)]

    async def test_runs_are_grouped_by_why_they_are_where_they_are(self) -> None:
        async with self.opened() as storage:
            same = [
                ended("r6", "failed", ended_at=NOW + 30, error_name="E", error_message="50% OF it"),
                head("r7", workflow="bill", status="waiting", waiting_for="event"),
                head("r8", workflow="bill", status="waiting", waiting_for="callback"),
            ]
            await write(storage, new_heads=[*HEADS, *same])
            waiting = await storage.run_groups(RunQuery(status=("waiting",)), 9)
            shown = [(one.waiting_for, one.count, one.oldest, one.newest) for one in waiting]
            assert shown == [("event", 2, "r2", "r7"), ("callback", 1, "r8", "r8")]
            failed = await storage.run_groups(RunQuery(status=("failed",)), 1)
            [(workflow, status, name, message)] = [
                (one.workflow, one.status, one.error_name, one.error_message) for one in failed
            ]
            assert (workflow, status, name, message) == ("order", "failed", "E", "50% OF it")
            assert (failed[0].count, failed[0].ended_at) == (2, NOW + 30)
            assert await storage.run_groups(RunQuery(uid="nobody"), 9) == []

    async def test_errors_whose_messages_are_alike_are_one_group_however_many(self) -> None:
        async with self.opened() as storage:
            lost = [
                ended(f"r{n}", "failed", ended_at=NOW + n, error_name="E", error_message=message)
                for n, message in enumerate(
                    [
                        "it is late",
                        "it is late",
                        "order 1 is lost",
                        "order 2 is lost",
                        "order 3 is lost",
                    ]
                )
            ]
            other = ended("r9", "failed", error_name="F", error_message="order 4 is lost")
            await write(storage, new_heads=[*lost, other])
            for limit in (1, 2, 9):
                found = await storage.run_groups(RunQuery(status=("failed",)), limit)
                assert len(found) == min(limit, 3)
            shown = [(one.error_name, one.error_message, one.count, one.oldest) for one in found]
            assert shown == [
                ("E", "order 3 is lost", 3, "r2"), ("E", "it is late", 2, "r0"),
                ("F", "order 4 is lost", 1, "r9"),
            ]  # fmt: skip
            assert (found[0].newest, found[0].ended_at) == ("r4", NOW + 4)

    async def _found(self, query: RunQuery) -> list[str]:
        async with self.opened() as storage:
            await write(storage, new_heads=HEADS)
            found = [run.run_id for run in await storage.runs(query, Page())]
            assert await storage.count_runs(query) == len(found)
            return found


async def _write_events(storage: Storage) -> None:
    await write(storage, events=[accepted("e3", NOW + 1), accepted("e1")])
    other: dict[str, Any] = {"type": "OTHER", "source": "shop/a"}
    await write(storage, events=[accepted("e2", **other), accepted("e4", NOW + 2, **other)])


async def _event_ids(storage: Storage, query: EventQuery) -> list[str]:
    return [stored.event.id for stored in await storage.events(query, Page())]
