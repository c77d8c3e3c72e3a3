"""What is kept of repairs of many runs: which runs, what came of each, once."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from ostinato.errors import Refused
from ostinato.ports import Asked, Operation, Page, Removal, RunFilter, Settled, Tally
from ostinato.testing.storage_contract.hooks import Hooks, raises, write
from ostinato.testing.storage_contract.samples import NOW

ASKED = Asked("retry", RunFilter(status=("failed",), failed_since=NOW), "p/j", "null")


def operation(id: str = "o1", status: Any = "running", **members: Any) -> Operation:
    return Operation(id, ASKED, status, 3, NOW, **members)


class OperationPromises(Hooks):
    async def test_an_operation_is_kept_whole_and_replaced(self) -> None:
        async with self.opened() as storage:
            first = operation(by="ada", why="deployed", rate=2.5, begun_at=NOW)
            await write(storage, operations=[first])
            assert await storage.operation("o1") == first
            assert await storage.operation("o2") is None
            assert await storage.running_operations() == [first]
            ended = replace(first, status="ended", ended_at=NOW + 9)
            await write(storage, operations=[ended])
            assert await storage.operation("o1") == ended
            assert await storage.running_operations() == []

    async def test_operations_are_listed_newest_first_without_previews(self) -> None:
        async with self.opened() as storage:
            preview = operation("o2", "preview", expires_at=NOW)
            kept = [operation("o1"), preview, operation("o3", "stopped")]
            await write(storage, operations=kept)
            assert [one.id for one in await storage.operations(Page(5))] == ["o3", "o1"]
            assert [one.id for one in await storage.operations(Page(5, "o3"))] == ["o1"]
            assert [one.id for one in await storage.operations(Page(1))] == ["o3"]

    async def test_each_of_its_runs_is_settled_once(self) -> None:
        async with self.opened() as storage:
            runs = [("o1", name) for name in ("r3", "r1", "r2", "r1")]
            await write(storage, operations=[operation()], matched=runs)
            assert await storage.operation_runs("o1", "", 9) == ["r1", "r2", "r3"]
            assert await storage.operation_runs("o1", "r1", 1) == ["r2"]
            await write(storage, settled=[Settled("o1", "r1", "done")])
            await raises(Refused, write(storage, settled=[Settled("o1", "r1", "done")]))
            await raises(Refused, write(storage, settled=[Settled("o1", "r9", "done")]))
            twice = [Settled("o1", "r2", "done"), Settled("o1", "r2", "passed")]
            await raises(Refused, write(storage, settled=twice))
            assert await storage.operation_runs("o1", "", 9) == ["r2", "r3"]
            assert await storage.operation_run("o1", "r1") == "done"
            assert await storage.operation_run("o1", "r2") == ""
            assert await storage.operation_run("o1", "r9") is None

    async def test_a_run_that_is_matched_again_stays_as_it_is(self) -> None:
        async with self.opened() as storage:
            await write(storage, operations=[operation()], matched=[("o1", "r1")])
            await write(storage, settled=[Settled("o1", "r1", "done")])
            await write(storage, matched=[("o1", "r1"), ("o1", "r2")])
            assert await storage.operation_runs("o1", "", 9) == ["r2"]

    async def test_what_came_of_its_runs_is_counted_by_reason(self) -> None:
        async with self.opened() as storage:
            runs = [("o1", f"r{number}") for number in range(1, 7)]
            settled = [Settled("o1", f"r{number}", "refused", "taken back") for number in (2, 3, 4)]
            done = Settled("o1", "r1", "done")
            await write(storage, operations=[operation()], matched=[*runs, ("o2", "r1")])
            await write(storage, settled=[done, *settled])
            assert await storage.operation_tally("o1") == [
                Tally("refused", "taken back", 3, "r2"), Tally("", "", 2, "r5"),
                Tally("done", "", 1, "r1"),
            ]  # fmt: skip
            assert await storage.operation_tally("o9") == []

    async def test_previews_that_expired_and_old_operations_are_found(self) -> None:
        async with self.opened() as storage:
            kept = [
                operation("o1", "preview", expires_at=NOW),
                operation("o2", "preview", expires_at=NOW + 1),
                operation("o3", "running"),
                operation("o4", "ended", ended_at=NOW - 5),
                operation("o5", "stopped", ended_at=NOW),
            ]
            await write(storage, operations=kept)
            assert await storage.aged_operations(NOW, None, 9) == ["o1"]
            assert await storage.aged_operations(NOW, NOW, 9) == ["o1", "o4"]
            assert await storage.aged_operations(NOW + 1, NOW + 1, 2) == ["o1", "o2"]

    async def test_they_are_removed_a_few_runs_at_a_time_and_never_while_they_run(self) -> None:
        async with self.opened() as storage:
            kept = [operation("o1", "ended", ended_at=NOW), operation("o2")]
            runs = [(name, f"r{number}") for name in ("o1", "o2") for number in range(3)]
            await write(storage, operations=kept, matched=runs)
            removal = Removal(operations=["o1", "o2", "o9"], rows=2)
            await write(storage, removal=removal)
            assert await storage.operation_runs("o1", "", 9) == ["r2"]
            assert await storage.operation("o1") is not None
            await write(storage, removal=removal)
            assert await storage.operation("o1") is None
            assert await storage.operation_runs("o2", "", 9) == ["r0", "r1", "r2"]
