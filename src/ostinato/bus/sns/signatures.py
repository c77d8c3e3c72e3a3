"""Who has signed a notification.

SNS signs with a key of its own, whose certificate lies on a host of Amazon's. It is got from there
over TLS and from nowhere else, kept while it is valid, and has to be one of SNS.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509.oid import NameOID

from ostinato.errors import SignatureError

Fetch = Callable[[str], Awaitable[bytes]]
"""What lies at a URL. Raises ``BusError``."""

KEPT = 16
"""Certificates; SNS has one for each region, and changes it once a year."""

LONGEST_URL = 2_048

_CERTIFICATE = re.compile(r"https://[^/]+/SimpleNotificationService-[0-9A-Za-z]{1,64}\.pem")
_SUBJECT = re.compile(r"sns([.-][a-z0-9.-]+)?\.amazonaws\.com(\.cn)?")
_HASHES: Mapping[str, Callable[[], SHA1 | SHA256]] = {"1": SHA1, "2": SHA256}


def is_host_of(url: str, region: str) -> bool:
    """Whether it is on SNS's own host of the region, and a URL as SNS writes them."""
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable():
        return False  # splitting would drop some of what asking then stumbles over
    try:
        parts = urlsplit(url)
        plain = parts.port is None and "@" not in parts.netloc
    except ValueError:
        return False
    hosts = (f"sns.{region}.amazonaws.com", f"sns.{region}.amazonaws.com.cn")
    return parts.scheme == "https" and plain and parts.netloc in hosts


class Certificates:
    def __init__(self, fetch: Fetch) -> None:
        self.fetch = fetch
        self._kept: dict[str, x509.Certificate] = {}

    async def check(
        self, signed: str, signature: str, version: str, url: str, region: str, now: int
    ) -> None:
        """``now`` in ms. Raises ``SignatureError``; ``BusError`` when there is no certificate to be
        had now."""
        if version not in _HASHES:
            raise SignatureError(f"SignatureVersion {version[:20]!r}; known are 1 and 2")
        key = _key(await self._certificate(url, region), now)
        try:
            key.verify(
                b64decode(signature, validate=True),
                signed.encode(),
                PKCS1v15(),
                _HASHES[version](),
            )
        except (InvalidSignature, NotBase64, ValueError):
            raise SignatureError(
                "the signature does not fit; it is not what SNS has sent"
            ) from None

    async def _certificate(self, url: str, region: str) -> x509.Certificate:
        # Nothing may follow its name: each query would be another one to get and to keep.
        if not is_host_of(url, region) or not _CERTIFICATE.fullmatch(url):
            host = f"https://sns.{region}.amazonaws.com/"
            raise SignatureError(f"the certificate is at {url[:200]!r}; it has to be at {host}")
        if url not in self._kept:
            found = await self.fetch(url)
            try:
                certificate = x509.load_pem_x509_certificate(found)
            except ValueError as error:
                raise SignatureError(f"{url} is no certificate: {error}") from None
            while len(self._kept) >= KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[url] = certificate
        return self._kept[url]


def _key(certificate: x509.Certificate, now: int) -> RSAPublicKey:
    at = datetime.fromtimestamp(now / 1000, UTC)
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        until = certificate.not_valid_after_utc.isoformat()
        raise SignatureError(f"the certificate is not valid now; it was until {until}")
    if not any(map(_SUBJECT.fullmatch, _names(certificate))):
        raise SignatureError(f"the certificate is of {_names(certificate)}, and not of SNS")
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise SignatureError("the certificate is no RSA key")
    return key


def _names(certificate: x509.Certificate) -> list[str]:
    subject = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    names = [str(each.value) for each in subject]
    try:
        other = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return names
    return names + other.value.get_values_for_type(x509.DNSName)
