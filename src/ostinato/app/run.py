"""A handle on one run, and what a deployment answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ostinato.core.views import RunView, View, status_of
from ostinato.errors import OstinatoError

if TYPE_CHECKING:
    from ostinato.app.doing import Doing


class RunEnded(OstinatoError):
    """``result()`` of a run that did not succeed. ``status`` is failed or cancelled."""

    def __init__(self, message: str, *, status: str, error: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.error = error


class Run:
    """``duplicate``: it was there already, by its uid or its idempotency key.

    ``answer`` is what an idempotent request was answered the first time; ``replayed`` says that
    this is such a repetition.
    """

    def __init__(
        self, app: Doing, run_id: str, *, duplicate: bool = False, answer: bytes = b"",
        replayed: bool = False,
    ) -> None:  # fmt: skip
        self._app = app
        self.id = run_id
        self.duplicate = duplicate
        self.answer = answer
        self.replayed = replayed

    async def result(self, timeout: float | None = None) -> Any:
        """The output. Raises ``RunEnded`` when it fails, ``TimeoutError`` after ``timeout`` s."""
        state = await self._app.state_at_end(self.id, timeout)
        status = status_of(state)
        if not state.ended:
            raise TimeoutError(f"run {self.id} is still {status} after {timeout} s")
        if status == "succeeded":
            return None if state.output is None else msgspec.json.decode(state.output)
        error = state.error
        why = f": {error.name}: {error.message}" if error else ""
        if error is None and state.cancelled:
            why = f": {state.cancelled}"
        name = error.name if error else ""
        raise RunEnded(f"run {self.id} {status}{why}", status=status, error=name)

    async def view(self) -> RunView:
        return await self._app.run_view(self.id)

    async def cancel(self, why: str = "") -> None:
        await self._app.cancel(self.id, why=why)

    def __repr__(self) -> str:
        return f"<Run {self.id}>"


class Deployed(View, omit_defaults=False):
    """One version of a workflow; ``created`` says whether this deployment made it."""

    id: str
    name: str
    version: int
    created: bool
    created_at: int
    description: str
    input_schema: dict[str, Any] | None
    warnings: list[str]
