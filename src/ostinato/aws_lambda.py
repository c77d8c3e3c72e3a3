"""The door of AWS Lambda: ``handler = aws_lambda.function(app)``.

Between two invocations the process stands still, and may never go on. So each one opens the app,
takes what came, lets the runs go on until nothing is left to do now or its time is nearly over, and
closes the app again: nothing stays in its hand, and no lease runs out. Timers and retries need an
invocation when they are due: a schedule of EventBridge, once a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, Protocol, cast

import msgspec

from ostinato.app import App
from ostinato.config import is_loopback, require_keys_beyond_loopback
from ostinato.core.cloudevents import Limits, from_http, is_request, is_tick, read_invocation
from ostinato.errors import SettingsError

try:
    from mangum import Mangum
except ImportError as error:
    raise SettingsError(
        f'AWS Lambda needs more than is installed ({error}); pip install "ostinato[lambda]"'
    ) from error

SPARE = 5.0
"""Seconds before its time is over in which an invocation hands over what is at work, and closes."""

SHARE = 0.5
"""Of a short time it keeps no more than this part."""

TEXT = ["text/", "application/json", "application/problem+json", "application/vnd.oai.openapi"]
"""Kinds of answers that go out as they are; any other in base64."""

STORED: dict[str, list[Any]] = {"batchItemFailures": []}
"""What a queue is told: delete all of them. What cannot be stored now fails the invocation, and the
whole batch comes again: under the same ids nothing is done twice."""


class Context(Protocol):
    """What Lambda says of one invocation."""

    def get_remaining_time_in_millis(self) -> int: ...


class Function:
    """What Lambda calls. One invocation at a time, as Lambda does."""

    def __init__(self, app: App) -> None:
        if is_loopback(app.settings.host):  # whoever calls is never on this machine
            app.configure(replace(app.settings, host="0.0.0.0"))  # noqa: S104
        self.app = app
        self._runner = asyncio.Runner()
        self._loop = self._runner.get_loop()
        self._door = app.asgi()
        asyncio.set_event_loop(self._loop)
        self._http = Mangum(self._serve, lifespan="off", text_mime_types=TEXT)

    def __call__(self, event: Any, context: Context) -> Any:
        """Answers as whoever asks expects it: a response, what a queue needs to know, what was
        accepted. Raises what a retry may mend, and ``UsageError`` for what is no event."""
        asyncio.set_event_loop(self._loop)
        if is_request(event):
            require_keys_beyond_loopback(self.app.settings)
            return self._http(event, cast(Any, context))
        return self._loop.run_until_complete(self._take(event, context))

    def close(self) -> None:
        """For tests: Lambda just ends the process."""
        self._runner.close()
        asyncio.set_event_loop(None)

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        async with self._working(scope["aws.context"]):
            await self._door(scope, receive, send)

    async def _take(self, event: Any, context: Context) -> Any:
        async with self._working(context):
            return await self._taken(event)

    @asynccontextmanager
    async def _working(self, context: Context) -> AsyncIterator[None]:
        """Raises ``TimeoutError`` when what is asked takes too long. What is not done by the end
        goes on in the next one."""
        left = context.get_remaining_time_in_millis() / 1_000
        ends = self._loop.time() + left - min(SPARE, left * SHARE)
        async with self._opened(ends):
            async with asyncio.timeout_at(ends):
                yield
            with suppress(TimeoutError):
                async with asyncio.timeout_at(ends):
                    await self.app.rest()

    @asynccontextmanager
    async def _opened(self, ends: float) -> AsyncIterator[None]:
        """Nothing is fetched from a bus: Lambda does that."""
        app = self.app
        async with asyncio.timeout_at(ends):
            await app.open(stand_by=True)
        try:
            async with asyncio.timeout_at(ends):
                await app.go_on()
                await app.at_work()
            yield
        finally:
            await app.close(drain=0)

    async def _taken(self, event: Any) -> Any:
        app = self.app
        if is_tick(event) and not app.expects(event["detail-type"]):
            return None
        invocation = read_invocation(event)
        if invocation.kind:
            await app.take_messages(invocation.kind, invocation.messages)
            return STORED
        body = msgspec.json.encode(event)
        bounds = Limits(app.settings.limits.event, app.settings.limits.batch)
        events, several = from_http({}, body, now=app.now(), new_id=app.new_id, limits=bounds)
        accepted = msgspec.to_builtins(await app.accept(events))
        return accepted if several else accepted[0]


def function(app: App) -> Function:
    """What Lambda's ``handler`` setting names: ``main.handler`` for ``handler = function(app)`` in
    ``main.py``.

    It takes HTTP requests (API Gateway, function URLs, load balancers), messages of SQS, SNS and
    Kafka, events of EventBridge, its ticks (a rule with a schedule), and any body that
    ``POST /events`` takes, by a direct invocation. Requests need a key, as from any other machine.
    """
    return Function(app)
