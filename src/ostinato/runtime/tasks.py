"""A person answers a task: one answer counts, and whoever comes second is told whose it was."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from ostinato.core import events as e
from ostinato.core.decide.asking import refuse_answer
from ostinato.core.tasks import Answer, refuse_second
from ostinato.errors import NotFoundError
from ostinato.ports import TaskRow
from ostinato.runtime.change import Change
from ostinato.runtime.mail import said
from ostinato.runtime.posts import Errand, NotYet, Post, stored
from ostinato.runtime.resident import Resident

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine


class AnswerTask(Post):
    """Answers nothing; the same answer once more changes nothing. Raises ``ConflictError``."""

    __slots__ = ("event", "resident", "row", "task_id")

    resident: Resident
    row: TaskRow

    def __init__(
        self, task_id: str, event: e.TaskAnswered, answer: asyncio.Future[None] | None
    ) -> None:
        super().__init__(answer)
        self.task_id = task_id
        self.event = event

    def errand(self) -> Errand:
        body = said(self.event)
        return Errand(
            "task", self.row.run_id, msgspec.json.encode((self.task_id, msgspec.Raw(body)))
        )

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
        refuse_answer(self.resident.state, self.task_id, self.event)
        engine.tell(change, self.resident, self.event, now)
        engine.fresh["task", self.task_id, ""] = change


def refuse_ended(row: TaskRow, by: str, outcome: str | None, data: bytes) -> None:
    """Raises ``ConflictError``."""
    given = Answer(row.by, row.outcome, row.answer)
    refuse_second(row.id, row.status, given, Answer(by, outcome, data))
