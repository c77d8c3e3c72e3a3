"""A certificate for one address, and the authority that vouches for it, made for a test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


def certificate(address: str) -> tuple[bytes, bytes]:
    """The authority's certificate; and key, certificate and chain of a server, all as PEM."""
    ours, theirs = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    by = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    root = _signed(by, by, ours.public_key(), ours, x509.BasicConstraints(True, 0))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
    about = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
    leaf = _signed(name, by, theirs.public_key(), ours, about)
    key = theirs.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    authority = root.public_bytes(Encoding.PEM)
    return authority, key + leaf.public_bytes(Encoding.PEM) + authority


def _signed(
    name: x509.Name,
    by: x509.Name,
    key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(by)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(extension, critical=True)
        .sign(signer, hashes.SHA256())
    )
