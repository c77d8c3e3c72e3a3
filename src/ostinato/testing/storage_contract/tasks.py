"""Work for people: put, ended once, listed, gone with its run."""

from __future__ import annotations

from msgspec import structs

from ostinato.errors import UsageError
from ostinato.ports import Page, Removal, TaskQuery
from ostinato.testing.storage_contract.hooks import Hooks, raises, write
from ostinato.testing.storage_contract.samples import (
    NOW,
    ended,
    head,
    record,
    task,
    task_end,
)

ALL = TaskQuery()

TASKS = [
    task("t1", NOW),
    task("t2", NOW + 1, assignee=None, due_at=None),
    task("u1", NOW + 1, run_id="r2", due_at=NOW + 10),
    task(
        "u2",
        NOW + 2,
        run_id="r2",
        workflow="bill",
        assignee="bob",
        asked=b'{"name":"x","candidates":["ann","eve"],"groups":["ops"]}',
    ),
]

FOUND = [
    (ALL, ["u2", "u1", "t2", "t1"]),
    (TaskQuery(status=("pending",)), ["u2", "u1", "t2"]),
    (TaskQuery(status=("completed",)), ["t1"]),
    (TaskQuery(status=("completed", "cancelled")), ["t1"]),
    (TaskQuery(assignee="ann"), ["u1", "t1"]),
    (TaskQuery(assignee="ann", status=("pending",)), ["u1"]),
    (TaskQuery(candidate="eve"), ["u2"]),
    (TaskQuery(candidate="bob"), []),
    (TaskQuery(group="ops", assignee="bob"), ["u2"]),
    (TaskQuery(group="eve"), []),
    (TaskQuery(workflow="bill"), ["u2"]),
    (TaskQuery(run_id="r2"), ["u2", "u1"]),
    (TaskQuery(id_prefix="t"), ["t2", "t1"]),
    (TaskQuery(overdue_at=NOW + 50), ["u1"]),
    (TaskQuery(overdue_at=NOW + 51), ["u2", "u1"]),
    (TaskQuery(overdue_at=NOW), []),
]


class TaskPromises(Hooks):
    async def test_a_task_comes_back_as_it_was_given(self) -> None:
        async with self.opened() as storage:
            bare = task("t2", assignee=None, due_at=None)
            await write(storage, tasks=[task(), bare])
            assert await storage.task("t1") == task()
            assert await storage.task("t2") == bare
            assert await storage.task("t3") is None

    async def test_a_pending_task_is_put_again_for_somebody_else(self) -> None:
        async with self.opened() as storage:
            other = task(assignee="bob", due_at=None)
            await write(storage, tasks=[task(), other])
            assert await storage.task("t1") == other
            assert await storage.count_tasks(ALL) == 1

    async def test_a_task_ends_once(self) -> None:
        async with self.opened() as storage:
            first, second = task_end(), task_end(by="bob", outcome="no")
            await write(storage, tasks=[task(), first, second])
            await write(storage, tasks=[second, task(assignee="bob"), task_end("gone")])
            kept = structs.replace(task(), **structs.asdict(first))
            assert await storage.task("t1") == kept
            assert await storage.tasks(ALL, Page()) == [kept]

    async def test_tasks_are_narrowed_by_every_member_given(self) -> None:
        async with self.opened() as storage:
            await write(storage, tasks=[*TASKS, task_end("t1")])
            for query, found in FOUND:
                rows = await storage.tasks(query, Page())
                assert [row.id for row in rows] == found, query
                assert await storage.count_tasks(query) == len(found)

    async def test_tasks_page_newest_first(self) -> None:
        async with self.opened() as storage:
            await write(storage, tasks=TASKS)
            first = await storage.tasks(ALL, Page(limit=2))
            rest = await storage.tasks(ALL, Page(cursor=f"{first[-1].opened_at}/{first[-1].id}"))
            assert [row.id for row in first + rest] == ["u2", "u1", "t2", "t1"]
            gone = await storage.tasks(ALL, Page(cursor=f"{first[-1].opened_at}/"))
            assert gone == [row for row in rest if row.opened_at < first[-1].opened_at]
            await raises(UsageError, storage.tasks(ALL, Page(cursor="gone")))

    async def test_what_is_large_in_a_task_is_kept_once_and_read_back_whole(self) -> None:
        large = b'{"x":"%b"}' % (b"x" * 20_000)
        opened = task(asked=b'{"name":"x","data":%b}' % large)
        records = [record(data=b'[["job.ready","p/j",%b,1]]' % large)]
        async with self.opened() as storage:
            await write(storage, new_heads=[ended("r1")], records=records, tasks=[opened])
            assert await storage.task("t1") == opened
            await write(storage, tasks=[structs.replace(opened, assignee="bob")])
            end = task_end(answer=large)
            await write(storage, tasks=[end])
            kept = structs.replace(opened, assignee="bob", **structs.asdict(end))
            assert await storage.task("t1") == kept
            assert await storage.tasks(ALL, Page()) == [kept]
            assert self.count_values(storage) == 1
            await write(storage, removal=Removal(runs=["r1"], rows=9))
            for _ in range(3):
                await write(storage, removal=Removal(rows=9))
            assert self.count_values(storage) == 0

    async def test_tasks_go_with_their_run(self) -> None:
        async with self.opened() as storage:
            await write(storage, new_heads=[ended("r1"), head("r2")], tasks=[*TASKS, task_end()])
            await write(storage, removal=Removal(runs=["r1", "r2"]))
            assert [row.id for row in await storage.tasks(ALL, Page())] == ["u2", "u1"]
