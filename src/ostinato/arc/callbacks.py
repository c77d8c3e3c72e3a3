"""Signed calls of the control plane's contract that come in: who sent them, and what they say.

An initiator (a tenant) has a secret as long as a job of its run waits for the callback. The job is
found by the signature: of all that wait under this uid, it is the one whose secret fits. A webhook
counts once: its signature is used up before anything comes of it, so whoever tries again signs
again, and whoever has listened has nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from msgspec import Raw

from ostinato.app import App
from ostinato.arc.refusals import Refusals
from ostinato.arc.secrets import issue
from ostinato.core.state import OPEN_STATUSES
from ostinato.core.uids import uid_problem
from ostinato.errors import ConflictError, Gone, InvalidInput, OstinatoError, SignatureError
from ostinato.ports import Page, RunQuery
from ostinato.signing import ArcCall

RUNS = 20
"""Runs of one initiator that are looked at: the newest."""

MARGIN = 60_000
"""Milliseconds that a signature is remembered for longer than it is good: clocks differ."""


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
    """``data`` is read when it is known whose it is."""

    initiatorId: str
    type: int
    data: Raw = Raw(b"null")


class _Tenant(msgspec.Struct):
    id: str


class _Call(msgspec.Struct):
    tenant: _Tenant


@dataclass(frozen=True, slots=True)
class _Sender:
    """The job that the signature belongs to."""

    run_id: str
    token: str
    signature: str = ""


class Callbacks:
    def __init__(self, app: App) -> None:
        self._app = app
        self._refused = Refusals.of(app)
        self.handlers: dict[int, WebhookHandler] = {}

    async def webhook(self, body: bytes, headers: Mapping[str, str], address: str) -> None:
        """Raises ``SignatureError`` for whatever is not to be believed, ``UnknownType``,
        ``InvalidInput`` and ``TooMany``. The text of the first is for the log alone."""
        with self._refused.counting(address) as counting:
            call = self._call(body, headers)
            said = _read(body, _Body)
            counting.about = _initiator(said.initiatorId)
            sender = await self._sender(said.initiatorId, call, with_context=True)
            data = _read(said.data, Any)
            handler = self._handler(said.type)
            await self._use_up(sender)

            async def finish(output: Any) -> None:
                await self._finish(sender, output)

            await handler(Webhook(said.initiatorId, said.type, data, sender.run_id, finish))

    async def callback(
        self, body: bytes, headers: Mapping[str, str], address: str
    ) -> dict[str, Any]:
        """The body of a call that is signed without a context; its secret is that of
        ``tenant.id``. Raises as ``webhook``. May come again: it asks for something."""
        with self._refused.counting(address) as counting:
            call = self._call(body, headers)
            tenant_id = _read(body, _Call).tenant.id
            counting.about = _initiator(tenant_id)
            await self._sender(tenant_id, call, with_context=False)
            said: dict[str, Any] = _read(body, dict[str, Any])
        return said

    def _handler(self, type: int) -> WebhookHandler:
        handler = self.handlers.get(type)
        if handler is None:
            known = ", ".join(map(str, sorted(self.handlers)))
            raise UnknownType(f"no handler is registered for type {type}; known are {known}")
        return handler

    def _call(self, body: bytes, headers: Mapping[str, str]) -> ArcCall:
        arc = self._app.settings.arc
        given = _standard(headers, arc.signature_header, arc.timestamp_header)
        return ArcCall(body, given, self._app.now(), tolerance=self._tolerance)

    async def _sender(self, initiator: str, call: ArcCall, *, with_context: bool) -> _Sender:
        waiting = [sender async for sender in self._waiting(initiator)]
        if not waiting:
            who = initiator[:100]
            raise SignatureError(f"nobody waits for a callback of {who!r}, or no longer")
        issued = [issue(self._app.settings, sender.token) for sender in waiting]
        secrets = [(one.secret, one.context if with_context else "") for one in issued]
        number, signature = call.verify(secrets)
        return replace(waiting[number], signature=signature)

    async def _use_up(self, sender: _Sender) -> None:
        """Another call with this signature would be the same one. As long as it could be taken for
        one of now, it is known: it may be early by the tolerance, and then be late by it."""
        if not self._app.settings.arc.single_use:
            return
        digest = hashlib.sha256(sender.signature.encode()).hexdigest()
        lasts = 2 * self._tolerance + MARGIN
        if not await self._app.use_up("arc webhook", digest, lasts):
            raise SignatureError("it has come before: each call is signed anew")

    @property
    def _tolerance(self) -> int:
        return round(self._app.settings.arc.tolerance.total_seconds() * 1000)

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


def _initiator(said: str) -> str:
    if wrong := uid_problem(said):
        raise SignatureError(wrong)
    return said


def _read(body: bytes | Raw, kind: Any) -> Any:
    """Nothing is said about a body to who has not signed it."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (ValueError, RecursionError) as error:
        raise SignatureError(f"the body is not what it should be: {error}") from error


async def provisioned(webhook: Webhook) -> None:
    """Type 0: the job that waits has ``{status, resources, appPlaneUrl}`` as its output."""
    data = webhook.data
    status = data.get("status") if isinstance(data, dict) else None
    if type(status) is not int or status not in (0, 1):  # true is equal to 1, and is none
        raise InvalidInput("data.status is 0 (failure) or 1 (success)")
    await webhook.finish(data)
