"""What commands ask for, of a running server or of a store that no server holds.

Values are those of the HTTP routes (camelCase members), whichever side answers, so that --json is
the same either way.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

Data = dict[str, Any]


class Client(Protocol):
    """``place`` is shown in messages. ``running``: someone works on what is stored."""

    place: str
    running: bool

    async def deploy(self, documents: Sequence[Path]) -> list[Data]:
        """All of them or none."""

    async def workflows(self) -> list[Data]: ...

    async def workflow(self, name: str) -> Data:
        """With ``document``, as it was deployed."""

    async def start(
        self, workflow: str, input: Any, *, uid: str | None, version: int | None
    ) -> Data: ...

    async def emit(self, event: Mapping[str, Any]) -> Data: ...

    async def runs(self, query: Mapping[str, Any], limit: int) -> list[Data]: ...

    async def run(self, name: str) -> Data:
        """By id, unique beginning of it, uid or ``last``."""

    async def stuck(self, span: int | None, workflow: str | None) -> Data:
        """As ``GET /stuck``; failures of the last ``span`` ms."""

    async def history(self, run_id: str) -> list[Data]: ...

    def follow(self, run_id: str) -> AsyncGenerator[Data, None]:
        """Facts as they are recorded, from the first; it ends when the run does."""

    async def cancel(self, run_id: str, why: str) -> Data: ...

    async def repair(self, run_id: str, verb: str, asked: Data) -> Data:
        """pause, resume, retry, skip, fork or signal; ``asked`` is the route's body."""

    async def bulk(self, asked: Mapping[str, Any]) -> Data:
        """``asked`` is the body of ``POST /runs/bulk``."""

    async def operations(self, limit: int) -> list[Data]: ...

    async def operation(self, operation_id: str) -> Data: ...

    async def stop_operation(self, operation_id: str) -> Data: ...

    async def schedules(self) -> list[Data]: ...

    async def schedule(self, name: str, upcoming: int) -> Data: ...

    async def change_schedule(self, name: str, verb: str, asked: Mapping[str, Any]) -> Data:
        """``verb`` is the last part of a route under ``/schedules``, ``asked`` its body."""

    async def events(self, query: Mapping[str, Any], limit: int) -> list[Data]: ...

    async def dead_letters(self, query: Mapping[str, Any], limit: int) -> list[Data]: ...

    async def dead_letter(self, letter_id: str) -> Data: ...

    async def redrive(self, asked: Mapping[str, Any]) -> Data:
        """``asked`` is the body of ``POST /dead-letters/redrive``."""

    async def clean(self) -> Data:
        """How many of what went."""

    async def workers(self) -> list[Data]:
        """As ``GET /workers``."""

    async def topics(self) -> list[Data]:
        """As ``GET /topics``."""

    async def members(self) -> Data: ...

    async def promote(self) -> bool:
        """The server stands by no more because it was told to; whether it did."""
        ...

    async def tasks(self, query: Mapping[str, Any], limit: int) -> list[Data]: ...

    async def task(self, name: str) -> Data: ...

    async def complete(self, name: str, said: Mapping[str, Any]) -> Data:
        """``said`` is the body of ``POST /tasks/{id}/complete``."""
