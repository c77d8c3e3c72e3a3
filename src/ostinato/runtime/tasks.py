"""A person answers a task: one answer counts, and whoever comes second is told whose it was."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ostinato.core import events as e
from ostinato.errors import ConflictError, NotFoundError
from ostinato.ports import TaskRow
from ostinato.runtime.change import Change
from ostinato.runtime.posts import NotYet, Post, stored
from ostinato.runtime.resident import Resident

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine


class AnswerTask(Post):
    """Answers nothing; the same answer once more changes nothing. Raises ``ConflictError``."""

    __slots__ = ("event", "resident", "row", "task_id")

    resident: Resident
    row: TaskRow

    def __init__(self, task: TaskRow, event: e.TaskAnswered, answer: asyncio.Future[None]) -> None:
        super().__init__(answer)
        self.task_id = task.id
        self.row = task
        self.event = event

    async def ready(self, engine: Engine) -> None:
        row = await engine.storage.task(self.task_id)
        if row is None:
            raise NotFoundError(f"task {self.task_id} is gone, with its run")
        self.row = row
        if row.status == "pending":
            self.resident = await engine.residents.load(row.run_id)

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        if self.row.status != "pending":
            refuse_ended(self.row, self.event.by, self.event.outcome, bytes(self.event.data))
            return
        stored(engine, change, "task", self.task_id, "")
        if self.resident.stale:
            raise NotYet
        if self.resident.state.ended:
            raise ConflictError(f"run {self.row.run_id} of this task is over")
        if not engine.tell(change, self.resident, self.event, now).facts:
            raise ConflictError(f"task {self.task_id} is not open any more")
        engine.fresh["task", self.task_id, ""] = change


def refuse_ended(row: TaskRow, by: str, outcome: str | None, data: bytes) -> None:
    """Raises ``ConflictError`` for a task that is over, unless this is the answer it was given."""
    if row.status == "pending" or (row.by, row.outcome, row.answer) == (by, outcome, data):
        return
    if row.status != "completed":
        raise ConflictError(f"nobody is asked any more: its run went on without task {row.id}")
    said = f" with {row.outcome!r}" if row.outcome is not None else ""
    raise ConflictError(f"task {row.id} was completed already by {row.by or 'somebody'}{said}")
