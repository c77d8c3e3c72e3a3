"""What SNS posts here: notifications, and the question whether we want them.

Anybody can post. What counts is signed by SNS, of a topic that the settings name, and not old.
"""

from __future__ import annotations

from collections.abc import Mapping

import httpx2
import msgspec

from ostinato.bus.sns.outlet import check_arn
from ostinato.bus.sns.signatures import Certificates, Fetch, is_host_of
from ostinato.config.buses import SnsSettings
from ostinato.core.cloudevents import Message
from ostinato.core.cloudevents.event import MalformedBody, milliseconds
from ostinato.errors import BusError, SignatureError, UsageError
from ostinato.telemetry.logger import logger

log = logger("ostinato.sns")

OLDEST = 3_600_000
"""Milliseconds since it was published, or until then."""
PATIENCE = 10.0
"""Seconds in which Amazon's host has to answer."""
LONGEST = 64 << 10
"""Bytes of what it answers."""
PASSING = frozenset((408, 425, 429))
"""Of its refusals those that are over soon: too slow, too early, too often."""
WHICH = "Amazon's host with SNS's certificate"


class Posted(msgspec.Struct):
    Type: str
    MessageId: str
    TopicArn: str
    Message: str
    Timestamp: str
    SignatureVersion: str
    Signature: str
    SigningCertURL: str
    Subject: str | None = None
    SubscribeURL: str | None = None
    Token: str | None = None
    MessageAttributes: dict[str, dict[str, str]] = {}


NOTIFICATION = "Notification"
CONFIRMATIONS = ("SubscriptionConfirmation", "UnsubscribeConfirmation")
_SIGNED = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    **dict.fromkeys(
        CONFIRMATIONS,
        ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ),
}


async def fetched(url: str) -> bytes:
    """Redirects are not followed. Raises ``SignatureError`` when nothing is there, ``BusError``
    when that cannot be said now."""
    try:
        async with httpx2.AsyncClient(timeout=PATIENCE) as http:
            answer = await http.get(url)
    except httpx2.HTTPError as error:
        why = f"sns: {url} cannot be had: {type(error).__name__}: {error}"
        raise BusError(why, which=WHICH) from error
    except httpx2.InvalidURL as error:
        raise SignatureError(f"{url[:200]!r} is no URL: {error}") from error
    if 400 <= answer.status_code < 500 and answer.status_code not in PASSING:
        raise SignatureError(
            f"{url} answers {answer.status_code}: it is not there, or not any more"
        )
    if answer.status_code != 200 or len(answer.content) > LONGEST:
        raise BusError(f"sns: {url} answers {answer.status_code}", which=WHICH)
    return answer.content


class SnsGuard:
    """``fetch`` gets what lies on Amazon's hosts."""

    def __init__(self, settings: SnsSettings, fetch: Fetch = fetched) -> None:
        self._settings = settings
        self.certificates = Certificates(fetch)

    async def message(self, headers: Mapping[str, str], body: bytes, now: int) -> Message | None:
        """What was published; None for what is about the subscription, which is done then.

        Raises ``SignatureError``, ``MalformedBody``, and ``BusError`` when Amazon cannot be asked.
        """
        posted = _read(headers, body)
        region = self._checked(posted, now)
        await self.certificates.check(
            _canonical(posted), posted.Signature, posted.SignatureVersion,
            posted.SigningCertURL, region, now,
        )  # fmt: skip
        if posted.Type == NOTIFICATION:
            return _message(posted)
        await self._confirm(posted, region)
        return None

    def _checked(self, posted: Posted, now: int) -> str:
        """The region of its topic: all that can be said before a certificate is asked for."""
        if posted.Type not in _SIGNED:
            raise SignatureError(f"Type {posted.Type[:80]!r} is nothing that SNS posts")
        table = f"[bus.{self._settings.name}]"
        if posted.TopicArn not in self._settings.receive:
            raise SignatureError(
                f"the topic {posted.TopicArn[:300]!r} is not in `receive` of {table}"
            )
        if abs(now - _time(posted)) > OLDEST:
            raise SignatureError(f"Timestamp {posted.Timestamp}: more than an hour from now")
        return check_arn(posted.TopicArn)["region"]

    async def _confirm(self, posted: Posted, region: str) -> None:
        about = {"bus": self._settings.name, "topic": posted.TopicArn}
        if posted.Type != CONFIRMATIONS[0]:
            log.warning("sns.unsubscribed", **about)
        elif not self._settings.confirm:
            log.warning("sns.not_confirmed", **about, token=posted.Token)
        elif is_host_of(posted.SubscribeURL or "", region):
            await self.certificates.fetch(posted.SubscribeURL or "")
            log.info("sns.confirmed", **about)
        else:
            raise SignatureError(
                f"SubscribeURL {posted.SubscribeURL!r:.200} is not on a host of SNS"
            )


def _read(headers: Mapping[str, str], body: bytes) -> Posted:
    if headers.get("x-amz-sns-rawdelivery", "").lower() == "true":
        raise SignatureError(
            "a raw delivery has no signature; turn RawMessageDelivery off for this subscription, "
            "or subscribe a queue"
        )
    try:
        return msgspec.json.decode(body, type=Posted)
    except msgspec.ValidationError as error:
        raise SignatureError(f"that is nothing that SNS posts: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBody(f"the body is not JSON: {error}") from None


def _canonical(posted: Posted) -> str:
    """What SNS has signed: names and values, each on a line."""
    parts = []
    for name in _SIGNED[posted.Type]:
        value = getattr(posted, name)
        if value is not None:
            parts += [name, value]
    return "".join(f"{part}\n" for part in parts)


def _time(posted: Posted) -> int:
    try:
        return milliseconds(posted.Timestamp, "Timestamp")
    except UsageError as error:
        raise SignatureError(str(error)) from None


def _message(posted: Posted) -> Message:
    """Attributes are not signed: see the page."""
    given = posted.MessageAttributes
    return Message(
        place=posted.TopicArn.rpartition(":")[2],
        body=posted.Message.encode(),
        headers={name: each["Value"] for name, each in given.items() if "Value" in each},
        id=posted.MessageId,
        time=_time(posted),
    )
