"""Failures that are one: the same error of the same workflow, messages alike but for what varies
from run to run (numbers, ids, what stands in quotes)."""

from __future__ import annotations

import re
from hashlib import blake2b

_VARYING = re.compile(
    r"'[^']*'|\"[^\"]*\"|`[^`]*`"  # what is quoted
    r"|\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"
    r"|\b(?=[0-9a-zA-Z]*[0-9])[0-9a-zA-Z]{8,}\b"  # ids: long, with a digit in them
    r"|[0-9]+(?:\.[0-9]+)?"
)
_LONGEST = 200


def alike(message: str) -> str:
    """The message without what varies, and not longer than a line."""
    return _VARYING.sub("…", " ".join(message.split()))[:_LONGEST]


def fingerprint(workflow: str, name: str, message: str) -> str:
    """Twelve hexadecimal digits."""
    said = "\0".join((workflow, name, alike(message)))
    return blake2b(said.encode(errors="surrogatepass"), digest_size=6).hexdigest()
