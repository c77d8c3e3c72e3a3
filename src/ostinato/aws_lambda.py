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
from ostinato.config import is_loopback
from ostinato.core.cloudevents import Limits, from_http, is_request, is_tick, read_invocation
from ostinato.errors import OstinatoError, SettingsError, Unready
from ostinato.telemetry.logger import logger
from ostinato.telemetry.logs import configure_logs

try:
    from mangum import Mangum
except ImportError as error:
    raise SettingsError(
        f'AWS Lambda needs more than is installed ({error}); pip install "ostinato[lambda]"'
    ) from error

log = logger("ostinato.aws_lambda")

SPARE = 5.0
"""Seconds before its time is over in which an invocation hands over what is at work, and closes."""

SHARE = 0.5
"""Of a short time it keeps no more than this part."""

TEXT = ["text/", "application/json", "application/problem+json", "application/vnd.oai.openapi"]
"""Kinds of answers that go out as they are; any other in base64."""

GRACE = 0.1
"""Part of what it has kept that a request has to say that its time is over."""

CLOSING = 0.8
"""Part of it that closing may take."""

LEAST = 1.0
"""Seconds that closing may take in any case: an app that is closed by half cannot be opened."""

SLOW = (
    "its time was over before all of it was stored; what comes again is done once: give the "
    "function more time, or smaller batches"
)

LATE = (
    "its time was over before the store was open and this process had its share of the runs; "
    "give the function more time"
)

STORED: dict[str, list[Any]] = {"batchItemFailures": []}
"""What a queue is told: delete all of them. What cannot be stored now fails the invocation, and the
whole batch comes again: under the same ids nothing is done twice."""


class NotOpened(Unready):
    pass


class Context(Protocol):
    """What Lambda says of one invocation."""

    def get_remaining_time_in_millis(self) -> int: ...


class Function:
    """What Lambda calls. One invocation at a time, as Lambda does."""

    def __init__(self, app: App, settle: float) -> None:
        if is_loopback(app.settings.host):  # whoever calls is never on this machine
            app.configure(replace(app.settings, host="0.0.0.0"))  # noqa: S104
        configure_logs(app.settings.log)
        self.app = app
        self._settle = settle
        self._runner = asyncio.Runner()
        self._loop = self._runner.get_loop()
        asyncio.set_event_loop(self._loop)
        self._http = Mangum(self._serve, lifespan="off", text_mime_types=TEXT)

    def __call__(self, event: Any, context: Context) -> Any:
        """Answers as whoever asks expects it: a response, what a queue needs to know, what was
        accepted. Raises what a retry may mend, and ``UsageError`` for what is no event."""
        asyncio.set_event_loop(self._loop)
        if is_request(event):
            _require_keys(self.app)
            return self._http(event, cast(Any, context))
        return self._loop.run_until_complete(self._take(event, context))

    def close(self) -> None:
        """For tests: Lambda just ends the process."""
        self._runner.close()
        asyncio.set_event_loop(None)

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        """The door says itself that nothing runs, when the app could not be opened; and that its
        time is over, a little before it is."""
        door, (ends, spare) = self.app.asgi(), self._time(scope["aws.context"])
        letting_go = self._loop.call_at(ends, door.stop)
        try:
            async with self._opened(ends, spare):
                async with asyncio.timeout_at(ends + GRACE * spare):
                    await door(scope, receive, send)
                await self._rest(min(ends, self._loop.time() + self._settle))
        except NotOpened:
            await door(scope, receive, send)
        finally:
            letting_go.cancel()

    async def _take(self, event: Any, context: Context) -> Any:
        ends, spare = self._time(context)
        async with self._opened(ends, spare):
            try:
                async with asyncio.timeout_at(ends):
                    taken = await self._taken(event)
            except TimeoutError:
                raise Unready(SLOW) from None
            await self._rest(ends)
        return taken

    def _time(self, context: Context) -> tuple[float, float]:
        """When it is time to hand over, and the seconds that are left then."""
        left = max(0.0, context.get_remaining_time_in_millis() / 1_000)
        spare = min(SPARE, left * SHARE)
        return self._loop.time() + left - spare, spare

    async def _rest(self, ends: float) -> None:
        """What is not done by then goes on in the next invocation."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(ends):
                await self.app.rest()

    @asynccontextmanager
    async def _opened(self, ends: float, spare: float) -> AsyncIterator[None]:
        """Nothing is fetched from a bus: Lambda does that."""
        app = self.app
        try:
            async with asyncio.timeout_at(ends):
                await app.open(stand_by=True)
                await app.go_on()
                await app.at_work()
        except BaseException as error:
            await self._close(spare)
            if not isinstance(error, OstinatoError | OSError):
                raise
            why = LATE if isinstance(error, TimeoutError) else str(error)
            log.error("invocation.not_opened", error=why)
            raise NotOpened(why) from error
        try:
            yield
        finally:
            await self._close(spare)

    async def _close(self, spare: float) -> None:
        """A store that does not answer may not hold up who is about to be killed: what it has not
        heard, the next one finds."""
        try:
            async with asyncio.timeout(max(LEAST, CLOSING * spare)):
                await self.app.close(drain=0)
        except (OstinatoError, OSError, TimeoutError) as error:
            log.warning("invocation.not_closed", error=str(error) or type(error).__name__)

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


def _require_keys(app: App) -> None:
    if not app.settings.auth.keys:
        raise SettingsError(
            "requests come from other machines, and no key is configured, so anyone could do "
            "anything: set OSTINATO_AUTH__KEYS_FILE to a file with one secret per line "
            "(openssl rand -hex 32 makes one), or [auth] keys in ostinato.toml beside the code"
        )


def function(app: App, *, settle: float = 10.0) -> Function:
    """What Lambda's ``handler`` setting names: ``main.handler`` for ``handler = function(app)`` in
    ``main.py``.

    It takes HTTP requests (API Gateway, function URLs, load balancers), messages of SQS, SNS and
    Kafka, events of EventBridge, its ticks (a rule with a schedule), and any body that
    ``POST /events`` takes, by a direct invocation. Requests need a key, as from any other machine;
    their answers wait at most ``settle`` seconds for jobs that are at work, and all others for the
    whole time of the invocation.
    """
    return Function(app, settle)
