"""Functions from one kind to another: texts, numbers, JSON, instants, digests."""

from __future__ import annotations

import base64 as encodings
import hashlib
import re
from math import isfinite
from typing import Any

import msgspec

from ostinato.core.expressions.arguments import wanted
from ostinato.core.expressions.budget import Budget
from ostinato.core.expressions.faults import failure
from ostinato.core.expressions.moments import instant, milliseconds, span
from ostinato.core.expressions.values import EXACT, json_text, text_of

__all__ = [
    "base64",
    "boolean",
    "date",
    "duration",
    "json",
    "number",
    "parsed",
    "sha256",
    "string",
    "uuid5",
]

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,400})(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,5})?")
_UUID = re.compile(r"(?:[0-9a-f]{8})-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_NAMESPACES = {  # RFC 9562, section 6.6
    "dns": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    "url": "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
    "oid": "6ba7b812-9dad-11d1-80b4-00c04fd430c8",
    "x500": "6ba7b814-9dad-11d1-80b4-00c04fd430c8",
}


def string(budget: Budget, value: Any) -> str:
    return text_of(value, budget)


def number(budget: Budget, value: Any) -> int | float:
    """Of a text that is a number, or of an instant: its milliseconds since 1970."""
    found = wanted("number", value, "number", "text")
    if type(found) is not str:
        return found  # type: ignore[no-any-return]
    match = _NUMBER.fullmatch(found)
    if match is None:
        return _moment(found)
    return _inexact(found) if match[1] or match[2] else _whole(found)


def _moment(text: str) -> int:
    if text[4:5] != "-":
        raise failure(f"{text[:40]!r} is not a number")
    return milliseconds(text)


def _inexact(text: str) -> float:
    found = float(text)
    if not isfinite(found):
        raise failure("a number is too large")
    return found


def _whole(text: str) -> int:
    found = int(text)
    if abs(found) > EXACT:
        raise failure("a whole number is beyond 2^53", "keep it as a text")
    return found


def boolean(budget: Budget, value: Any) -> bool:
    found = wanted("bool", value, "bool", "text")
    if found not in (True, False, "true", "false"):
        raise failure(f"{found[:40]!r} is neither 'true' nor 'false'")
    return found in (True, "true")


def json(budget: Budget, value: Any) -> str:
    return json_text(value, budget)


def parsed(budget: Budget, value: Any) -> Any:
    text = wanted("parse", value, "text")
    # Twice: reading makes a value per few characters, so it is dearer than copying.
    budget.charge_text(len(text))
    budget.charge_text(len(text))
    try:
        return msgspec.json.decode(_utf8(text))
    except (msgspec.DecodeError, RecursionError) as problem:
        raise failure(f"parse() cannot read this as JSON: {problem}") from None


def date(budget: Budget, moment: Any, shift: Any = 0) -> str:
    return instant(moment, shift)


def duration(budget: Budget, value: Any) -> int:
    return span(wanted("duration", value, "text"))


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise failure("a text holds half a character (a lone surrogate)") from None


def base64(budget: Budget, value: Any) -> str:
    text = wanted("base64", value, "text")
    budget.charge_text(len(text) * 2)
    return encodings.b64encode(_utf8(text)).decode()


def sha256(budget: Budget, value: Any) -> str:
    text = wanted("sha256", value, "text")
    budget.charge_text(len(text))
    return hashlib.sha256(_utf8(text)).hexdigest()


def uuid5(budget: Budget, *given: Any) -> str:
    """``uuid5(name)`` is in the URL namespace; ``uuid5(namespace, name)`` says which."""
    space, name = given if len(given) == 2 else ("url", given[0])
    text = wanted("uuid5", name, "text")
    budget.charge_text(len(text))
    return _named(_namespace(wanted("uuid5", space, "text")), _utf8(text))


def _namespace(text: str) -> bytes:
    known = _NAMESPACES.get(text, text)
    if not _UUID.fullmatch(known):
        raise failure(f"{text[:40]!r} is not a namespace", "give a UUID, or dns url oid x500")
    return bytes.fromhex(known.replace("-", ""))


def _named(namespace: bytes, name: bytes) -> str:
    # RFC 9562: SHA-1 cut to 128 bits, with the version and the variant written over it.
    digest = bytearray(hashlib.sha1(namespace + name, usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
