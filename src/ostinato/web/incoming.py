"""What services of a control plane post here: signed callbacks, and payments with a password.

Whoever is not believed is told 401 and nothing else; the reason is logged. Callbacks belong to the
``ControlPlane`` that the app has mounted.
"""

from __future__ import annotations

import binascii
import hmac
import math
from base64 import b64decode
from typing import Any

import msgspec
from msgspec import Raw, Struct
from starlette.requests import Request
from starlette.responses import Response

from ostinato.arc import ControlPlane, Refusals, TooMany, UnknownType
from ostinato.errors import SignatureError
from ostinato.telemetry.logger import logger
from ostinato.web.answers import json_answer, nothing
from ostinato.web.bodies import decode, read_body
from ostinato.web.door import Door, door_of, headers_of
from ostinato.web.errors import Refusal, unfit
from ostinato.web.events import accept, read_events
from ostinato.web.operation import JSON, PUBLIC, Operations

doors = Operations("callbacks")

log = logger("ostinato.web")

PAYMENTS = "\npayments"
"""What refused payments are counted under. No tenant is called so: no uid has a line break."""

SIGNED = {"x-signature": "HMAC-SHA256 in hex", "x-timestamp": "milliseconds since 1970"}
BASIC = {"authorization": "HTTP Basic: the settings arc.username and arc.password"}


class WebhookData(Struct):
    status: int
    resources: list[Any] = []
    appPlaneUrl: str = ""


class Webhook(Struct):
    initiatorId: str
    type: int
    data: WebhookData


class NewUser(Struct):
    tenant: dict[str, Any]
    plan: dict[str, Any]


class User(Struct):
    authId: str


class Payment(Struct):
    event_type: str
    id: str | None = None


@doors.post(
    "/webhook", may=PUBLIC, seed=True, bodies={JSON: Webhook}, headers=SIGNED, answers={204: None}
)
async def take_webhook(request: Request) -> Response:
    """Take the control plane's webhook: what has become of a tenant.

    Signed by the secret and the context of the tenant's run. 401 for what is not to be believed,
    comes too late or again; 422 for a `type` without a handler; 429 instead of 401 for a tenant
    with too many refused.
    """
    plane, body = await _signed(request)
    try:
        await plane.callbacks.webhook(body, headers_of(request), _address(request))
    except (SignatureError, TooMany, UnknownType) as error:
        raise _refused(error, request) from None
    return nothing()


@doors.post(
    "/manage/users", may=PUBLIC, seed=True, bodies={JSON: NewUser}, headers=SIGNED,
    answers={200: User},
)  # fmt: skip
async def manage_users(request: Request) -> Response:
    """Make a tenant's first user; the authId is empty where nobody can.

    Signed by the secret of the run of `tenant.id`, without its context.
    """
    plane, body = await _signed(request)
    try:
        said = await plane.callbacks.callback(body, headers_of(request), _address(request))
    except (SignatureError, TooMany) as error:
        raise _refused(error, request) from None
    return json_answer(await plane.manage_users(said))


@doors.post(
    "/webhooks/billing-payment", may=PUBLIC, seed=True, bodies={JSON: Payment}, headers=BASIC,
    answers={204: None},
)  # fmt: skip
async def take_billing_payment(request: Request) -> Response:
    """Take a billing service's webhook as an event of its `event_type`.

    Its body is the data, the source /webhooks/billing-payment; an `id` is known again.
    """
    return await _payment(request)


@doors.post(
    "/webhooks/payments", may=PUBLIC, seed=True, bodies={JSON: Payment}, headers=BASIC,
    answers={204: None},
)  # fmt: skip
async def take_payment(request: Request) -> Response:
    """Take a payment service's webhook as an event of its `event_type`.

    Its body is the data, the source /webhooks/payments; an `id` is known again.
    """
    return await _payment(request)


async def _signed(request: Request) -> tuple[ControlPlane, bytes]:
    door = door_of(request)
    plane = ControlPlane.of(door.app)
    if plane is None:
        message = "no control plane is mounted here: ostinato.arc.ControlPlane(app) mounts one"
        raise Refusal(404, "NotFoundError", message)
    return plane, await read_body(request, door.bounds.signal)


def _refused(error: Exception, request: Request) -> Refusal:
    if isinstance(error, UnknownType):
        return unfit(error.message, "type")
    if isinstance(error, TooMany):
        after = {"retry-after": str(max(1, math.ceil(error.seconds)))}
        return Refusal(429, "TooManyRequestsError", error.message, headers=after)
    log.warning("callback.refused", path=request.url.path, sender=_address(request), why=str(error))
    return Refusal(401, "UnauthorizedError", "Unauthorized")


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


async def _payment(request: Request) -> Response:
    door = door_of(request)
    try:
        _admit(door, _address(request), headers_of(request).get("authorization", ""))
    except (SignatureError, TooMany) as error:
        refusal = _refused(error, request)
        refusal.headers.setdefault("www-authenticate", 'Basic realm="ostinato"')
        raise refusal from None
    body = await read_body(request, door.bounds.batch)
    said = decode(body, Payment)
    event = {"type": said.event_type, "source": request.url.path, "data": Raw(body)}
    if said.id:
        event["id"] = said.id
    found, _ = read_events(door, {"content-type": JSON}, msgspec.json.encode(event))
    await accept(door, found)
    return nothing()


def _admit(door: Door, address: str, authorization: str) -> None:
    """Raises ``SignatureError`` and ``TooMany``.

    Who gives a password may be guessing: none is looked at once too many were wrong. Who gives
    none keeps nobody from giving one.
    """
    refusals, about = Refusals.of(door.app), PAYMENTS if authorization else ""
    if authorization:
        refusals.refuse_more(address, about)
    with refusals.counting(address, about):
        _check_password(door, authorization)


def _check_password(door: Door, authorization: str) -> None:
    """Raises ``SignatureError``."""
    arc = door.app.settings.arc
    if not arc.username or not arc.password:
        raise SignatureError("arc.username and arc.password are not set")
    if not _fits(authorization, f"{arc.username}:{arc.password}"):
        raise SignatureError("wrong or missing user and password")


def _fits(authorization: str, wanted: str) -> bool:
    scheme, _, given = authorization.partition(" ")
    try:
        said = b64decode(given.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    return scheme.lower() == "basic" and hmac.compare_digest(said, wanted.encode())
