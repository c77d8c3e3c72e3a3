"""Signed calls of the control plane's contract that come in: who sent them, and what they say.

An initiator (a tenant) has a secret as long as a job of its run waits for the callback. The job is
found by the signature: of all that wait under this uid, it is the one whose secret fits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from ostinato.app import App
from ostinato.arc.refusals import Refusals
from ostinato.arc.secrets import issue
from ostinato.core.state import OPEN_STATUSES
from ostinato.core.uids import uid_problem
from ostinato.errors import ConflictError, Gone, InvalidInput, OstinatoError, SignatureError
from ostinato.ports import Page, RunQuery
from ostinato.signing import verify_arc

RUNS = 20
"""Runs of one initiator that are looked at: the newest."""


class UnknownType(OstinatoError):
    """No handler is registered for a webhook's ``type``."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """One that is what it says. ``finish`` ends the job that waits for it, with an output."""

    initiator_id: str
    type: int
    data: Any
    run_id: str
    finish: Callable[[Any], Awaitable[None]]


WebhookHandler = Callable[[Webhook], Awaitable[Any]]


class _Body(msgspec.Struct):
    initiatorId: str
    type: int
    data: Any = None


@dataclass(frozen=True, slots=True)
class _Sender:
    """The job that the signature belongs to."""

    run_id: str
    token: str


class Callbacks:
    def __init__(self, app: App) -> None:
        self._app = app
        self._refused = Refusals.of(app)
        self.handlers: dict[int, WebhookHandler] = {}

    async def webhook(self, body: bytes, headers: Mapping[str, str], address: str) -> None:
        """Raises ``SignatureError`` for whatever is not to be believed, ``UnknownType``,
        ``InvalidInput`` and ``TooMany``. The text of the first is for the log alone."""
        with self._refused.counting(address):
            said = _read(body, _Body)
            sender = await self._sender(said.initiatorId, body, headers, with_context=True)
        handler = self.handlers.get(said.type)
        if handler is None:
            known = ", ".join(map(str, sorted(self.handlers)))
            raise UnknownType(f"no handler is registered for type {said.type}; known are {known}")

        async def finish(output: Any) -> None:
            await self._finish(sender, output)

        await handler(Webhook(said.initiatorId, said.type, said.data, sender.run_id, finish))

    async def callback(
        self, body: bytes, headers: Mapping[str, str], address: str
    ) -> dict[str, Any]:
        """The body of a call that is signed without a context; its secret is that of
        ``tenant.id``. Raises as ``webhook``."""
        with self._refused.counting(address):
            said: dict[str, Any] = _read(body, dict[str, Any])
            tenant = said.get("tenant")
            tenant_id = tenant.get("id") if isinstance(tenant, dict) else None
            if not isinstance(tenant_id, str):
                raise SignatureError("the body names no tenant.id")
            await self._sender(tenant_id, body, headers, with_context=False)
        return said

    async def _sender(
        self, initiator: str, body: bytes, headers: Mapping[str, str], *, with_context: bool
    ) -> _Sender:
        settings = self._app.settings
        given = _standard(headers, settings.arc.signature_header, settings.arc.timestamp_header)
        tolerance = settings.arc.tolerance.total_seconds() * 1000
        if wrong := uid_problem(initiator):
            raise SignatureError(wrong)
        why = SignatureError(f"nobody waits for a callback of {initiator[:100]!r}, or no longer")
        async for sender in self._waiting(initiator):
            issued = issue(settings, sender.token)
            context = issued.context if with_context else ""
            try:
                verify_arc(
                    issued.secret, body, given, context, self._app.now(), tolerance=round(tolerance)
                )
            except SignatureError as error:
                why = error
            else:
                return sender
        raise why

    async def _waiting(self, initiator: str) -> AsyncIterator[_Sender]:
        """Jobs whose secret is good now."""
        settings, now = self._app.settings.arc, self._app.now()
        expiry = settings.secret_expiry.total_seconds() * 1000
        status = OPEN_STATUSES if settings.single_use else (*OPEN_STATUSES, "succeeded")
        query = RunQuery(status=status, uid=initiator)
        for head in await self._app.runs(query, Page(RUNS)):
            for job in reversed(await self._app.callbacks(head.run_id)):
                again = job.status == "succeeded" and not settings.single_use
                if now - job.since <= expiry and (job.open or again):
                    yield _Sender(head.run_id, job.token)

    async def _finish(self, sender: _Sender, output: Any) -> None:
        """A repetition changes nothing: where one call counts once, it is one too many."""
        try:
            await self._app.answer(sender.token, output=output)
        except ConflictError as error:
            if isinstance(error, Gone) or self._app.settings.arc.single_use:
                raise SignatureError(f"it comes too late: {error.message}") from error


def _standard(headers: Mapping[str, str], signature: str, timestamp: str) -> dict[str, str]:
    """Under the names that ``signing`` knows."""
    given = {name.lower(): value for name, value in headers.items()}
    return {
        "x-signature": given.get(signature.lower(), ""),
        "x-timestamp": given.get(timestamp.lower(), ""),
    }


def _read(body: bytes, kind: Any) -> Any:
    """Nothing is said about a body to who has not signed it."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (ValueError, RecursionError) as error:
        raise SignatureError(f"the body is not what it should be: {error}") from error


async def provisioned(webhook: Webhook) -> None:
    """Type 0: the job that waits has ``{status, resources, appPlaneUrl}`` as its output."""
    data = webhook.data
    if not isinstance(data, dict) or data.get("status") not in (0, 1):
        raise InvalidInput("data.status is 0 (failure) or 1 (success)")
    await webhook.finish(data)
