"""Commands of one instant travel together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from redis.asyncio import Redis

Script = Callable[..., Awaitable[Any]]


class Together:
    """Scripts that are called in one instant travel together, in their order."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._calls: list[tuple[Script, Any, Any, asyncio.Future[Any]]] = []
        self._sending: set[asyncio.Future[None]] = set()

    def of(self, script: Script) -> Script:
        async def call(keys: Any = None, args: Any = None, client: Any = None) -> Any:
            if client is not None:
                return await script(keys=keys, args=args, client=client)
            future = asyncio.get_running_loop().create_future()
            self._calls.append((script, keys, args, future))
            if len(self._calls) == 1:
                sending = asyncio.ensure_future(self._send())
                self._sending.add(sending)
                sending.add_done_callback(self._sending.discard)
            return await future

        return call

    async def _send(self) -> None:
        calls, self._calls = self._calls, []
        try:
            answers = await self._answers(calls)
        except Exception as error:
            answers = [error] * len(calls)
        except asyncio.CancelledError:  # the loop ends: nobody is left waiting
            for *_, future in calls:
                future.cancel()
            raise
        for (*_, future), answer in zip(calls, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    async def _answers(self, calls: Sequence[tuple[Script, Any, Any, Any]]) -> list[Any]:
        if len(calls) == 1:
            script, keys, args, _ = calls[0]
            return [await script(keys=keys, args=args)]
        async with self._client.pipeline(transaction=False) as pipe:
            for script, keys, args, _ in calls:
                await script(keys=keys, args=args, client=pipe)
            return await pipe.execute(raise_on_error=False)
