"""What changes an operation besides its runs: a preview, its launch, a stop, its end.

Each reads the row as it is stored and writes it whole.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from ostinato.errors import ConflictError, NotFoundError
from ostinato.ports import Operation
from ostinato.runtime.change import Change
from ostinato.runtime.posts import Post, stored

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine


class Role(Protocol):
    def begun(self, operation: Operation) -> None:
        """It is stored as running."""

    def over(self, operation: Operation) -> None:
        """It is stored as stopped or ended: nothing more is sent."""


class KeepMatched(Post):
    """Runs that a preview has found, and the preview itself."""

    __slots__ = ("operation", "runs")

    def __init__(
        self, operation: Operation, runs: Sequence[str], answer: asyncio.Future[None] | None
    ) -> None:
        super().__init__(answer)
        self.operation = operation
        self.runs = runs

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        change.rows.operations.append(self.operation)
        change.rows.matched += [(self.operation.id, run_id) for run_id in self.runs]


class Alter(Post):
    """Another status of an operation, as it is stored now."""

    __slots__ = ("operation", "operation_id", "role")

    def __init__(
        self,
        role: Role,
        operation_id: str,
        answer: asyncio.Future[Operation] | None = None,
    ) -> None:
        super().__init__(answer)
        self.role = role
        self.operation_id = operation_id
        self.operation: Operation | None = None

    async def ready(self, engine: Engine) -> None:
        self.operation = await engine.storage.operation(self.operation_id)

    def apply(self, engine: Engine, change: Change, now: int) -> Operation:
        stored(engine, change, "operation", self.operation_id, "")
        if self.operation is None:
            raise NotFoundError(f"there is no operation {self.operation_id!r}")
        after = self.changed(self.operation, now)
        if after != self.operation:
            engine.fresh["operation", self.operation_id, ""] = change
            change.rows.operations.append(after)
        return after

    @abstractmethod
    def changed(self, operation: Operation, now: int) -> Operation:
        """The row as it is to be; the same one when nothing is to change."""


class Launch(Alter):
    """A preview begins. Asked for again, it changes nothing."""

    __slots__ = ("by", "rate", "why")

    def __init__(
        self,
        role: Role,
        operation_id: str,
        by: str,
        why: str,
        rate: float,
        answer: asyncio.Future[Operation],
    ) -> None:
        super().__init__(role, operation_id, answer)
        self.by = by
        self.why = why
        self.rate = rate

    def changed(self, operation: Operation, now: int) -> Operation:
        if operation.status != "preview":
            return operation
        if operation.expires_at is None or operation.expires_at <= now:
            raise ConflictError("this preview has expired; look again")
        return replace(
            operation, status="running", by=self.by, why=self.why, rate=self.rate, begun_at=now,
            expires_at=None,
        )  # fmt: skip

    def done(self, result: Operation) -> None:
        if result.status == "running":
            self.role.begun(result)
        super().done(result)


class Halt(Alter):
    """It is stopped: what is on its way ends, the rest is left."""

    __slots__ = ("by", "why")

    def __init__(
        self, role: Role, operation_id: str, by: str, why: str, answer: asyncio.Future[Operation]
    ) -> None:
        super().__init__(role, operation_id, answer)
        self.by = by
        self.why = why

    def changed(self, operation: Operation, now: int) -> Operation:
        if operation.status == "preview":
            raise NotFoundError(f"there is no operation {operation.id!r}")
        if operation.status != "running":
            raise ConflictError(f"operation {operation.id} is over already: {operation.status}")
        who = {"stopped_by": self.by, "stopped_why": self.why}
        return replace(operation, status="stopped", ended_at=now, **who)

    def done(self, result: Operation) -> None:
        self.role.over(result)
        super().done(result)


class End(Alter):
    """Each of its runs is dealt with."""

    __slots__ = ()

    def __init__(self, role: Role, operation: Operation) -> None:
        super().__init__(role, operation.id)

    def changed(self, operation: Operation, now: int) -> Operation:
        if operation.status != "running":
            return operation
        return replace(operation, status="ended", ended_at=now)

    def done(self, result: Operation) -> None:
        self.role.over(result)
        super().done(result)
