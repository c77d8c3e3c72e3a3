"""Certificates such as SNS has, and notifications that are signed with their keys."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)
SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
    ),
}  # fmt: skip


def url_of(name: str = "a1", host: str = "sns.eu-central-1.amazonaws.com") -> str:
    return f"https://{host}/SimpleNotificationService-{name}.pem"


class Signer:
    """One key, and its certificate. ``days``: from when on and until when it is valid."""

    def __init__(
        self,
        name: str = "sns.amazonaws.com",
        *,
        days: tuple[float, float] = (-1, 30),
        other: str | None = None,
    ) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        now = datetime.now(UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Amazon")]))
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + days[0] * DAY)
            .not_valid_after(now + days[1] * DAY)
        )
        if other is not None:
            names = x509.SubjectAlternativeName([x509.DNSName(other)])
            builder = builder.add_extension(names, critical=False)
        self.pem = builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM)

    def sign(self, posted: Mapping[str, Any]) -> str:
        names = SIGNED[posted["Type"]]
        told = "".join(f"{name}\n{posted[name]}\n" for name in names if name in posted)
        hash = SHA1() if posted["SignatureVersion"] == "1" else SHA256()  # noqa: S303 - as SNS does
        return b64encode(self._key.sign(told.encode(), PKCS1v15(), hash)).decode()

    def notification(self, topic: str, message: str, /, **more: Any) -> dict[str, Any]:
        posted = {
            "Type": "Notification",
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": topic,
            "Message": message,
            "Timestamp": stamp(),
            "SignatureVersion": "1",
            "SigningCertURL": url_of(),
            "UnsubscribeURL": "https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe",
        } | more
        return posted | {"Signature": self.sign(posted)}

    def confirmation(self, topic: str, /, **more: Any) -> dict[str, Any]:
        token = "2336412f37"
        url = "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription"
        asked = f"{url}&TopicArn={topic}&Token={token}"
        about = {"Type": "SubscriptionConfirmation", "Token": token, "SubscribeURL": asked}
        return self.notification(topic, "You have chosen to subscribe", **(about | more))


def stamp(**ago: float) -> str:
    then = datetime.now(UTC) - timedelta(**ago)
    return then.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encoded(posted: Mapping[str, Any]) -> bytes:
    return json.dumps(posted).encode()
