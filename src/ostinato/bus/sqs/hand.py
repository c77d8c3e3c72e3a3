"""What is in hand: hidden from other readers until it is done, given back or let go.

The queue hides a message for a while only. As long as it is in hand here, a task has that while
begin anew, each time half of it is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ostinato.bus.aws.troubles import entry_error
from ostinato.bus.sqs.queue import Queue
from ostinato.errors import BusError, UsageError
from ostinato.ports.buses import Received
from ostinato.telemetry.logger import logger

log = logger("ostinato.sqs")

BATCH = 10
AT_ONCE = 10
"""Requests."""
TRIES = 4
PAUSE = 0.1
"""Seconds before what a batch has left over is asked for again; doubled each time."""


class Hand:
    """``visible``: seconds after which the queue shows a message again."""

    def __init__(self, queue: Queue, visible: int) -> None:
        self._queue = queue
        self._visible = visible
        self._held: dict[str, Received] = {}  # by receipt
        self._beat: asyncio.Task[None] | None = None
        self._turn = asyncio.Semaphore(AT_ONCE)

    def take(self, received: Iterable[Received]) -> None:
        self._held.update((one.handle, one) for one in received)
        if self._held and (self._beat is None or self._beat.done()):
            self._beat = asyncio.create_task(self._hide(), name=f"ostinato-{self._queue.name}")

    async def done(self, received: Sequence[Received]) -> None:
        """Raises ``BusError`` when one is not deleted after several tries."""
        await self._each("delete_message_batch", self._mine(received))

    async def again(self, received: Sequence[Received]) -> None:
        shown = {"VisibilityTimeout": 0}
        await self._each("change_message_visibility_batch", self._mine(received), shown)

    async def close(self) -> None:
        """What is in hand is shown at once, where that can be said."""
        beat, self._beat = self._beat, None
        if beat is not None:
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)
        held = list(self._held)
        if held:
            with suppress(BusError):
                shown = {"VisibilityTimeout": 0}
                await self._each("change_message_visibility_batch", held, shown)
        self._held.clear()

    def _mine(self, received: Sequence[Received]) -> list[str]:
        return [one.handle for one in received if one.handle in self._held]

    async def _each(
        self, operation: str, handles: Sequence[str], more: Mapping[str, Any] | None = None
    ) -> None:
        """Of these no one is in hand any more."""
        left = handles
        for number in range(TRIES):
            if number:
                await asyncio.sleep(PAUSE * 2 ** (number - 1))
            failed = await self._ask(operation, left, more or {})
            for handle in left:
                if not isinstance(failed.get(handle), BusError):
                    self._held.pop(handle, None)
            gone = [why for why in failed.values() if isinstance(why, UsageError)]
            if gone and not more:  # it was shown again meanwhile: it comes, or has come, again
                log.warning("sqs.receipt_expired", queue=self._queue.name, error=str(gone[0]))
            left = [handle for handle in left if isinstance(failed.get(handle), BusError)]
            if not left:
                return
        raise BusError(f"{len(left)} messages of {self._queue.name}: {failed[left[0]]}")

    async def _ask(
        self, operation: str, handles: Sequence[str], more: Mapping[str, Any]
    ) -> dict[str, Exception]:
        """What has not been done, and why. Raises ``BusError``."""
        lots = [handles[n : n + BATCH] for n in range(0, len(handles), BATCH)]
        asking = (self._ask_lot(operation, lot, more) for lot in lots)
        answers = await asyncio.gather(*asking, return_exceptions=True)
        failed: dict[str, Exception] = {}
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            failed |= answer
        return failed

    async def _ask_lot(
        self, operation: str, handles: Sequence[str], more: Mapping[str, Any]
    ) -> dict[str, Exception]:
        entries = [
            {"Id": f"msg-{number}", "ReceiptHandle": handle, **more}
            for number, handle in enumerate(handles)
        ]
        async with self._turn:
            answer = await self._queue.ask(operation, Entries=entries)
        return {
            handles[int(one["Id"].removeprefix("msg-"))]: entry_error("sqs", one)
            for one in answer.get("Failed", ())
        }

    async def _hide(self) -> None:
        """Until nothing is in hand."""
        pause = self._visible / 2
        while True:
            await asyncio.sleep(pause)
            if not self._held:
                self._beat = None
                return
            pause = self._visible / 2 if await self._hidden() else self._visible / 8

    async def _hidden(self) -> bool:
        """Whether all that is in hand is hidden for another while."""
        hidden = {"VisibilityTimeout": self._visible}
        try:
            failed = await self._ask("change_message_visibility_batch", list(self._held), hidden)
        except BusError as error:
            log.warning("sqs.not_hidden", queue=self._queue.name, error=str(error))
            return False
        for handle, why in failed.items():
            if isinstance(why, UsageError) and self._held.pop(handle, None) is not None:
                log.warning("sqs.receipt_expired", queue=self._queue.name, error=str(why))
        return not any(isinstance(why, BusError) for why in failed.values())
