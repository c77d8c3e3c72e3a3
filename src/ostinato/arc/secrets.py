"""The secret and the context of a run. Neither is stored: both are made of what is.

A job that waits for a callback has a token, which only this engine knows and makes anew after each
restart. The context is made of it, and the secret of the context and ``arc.secret``. So both are
there as soon as the run is stored, in every process, and are gone with the job; and an
orchestrator that shares ``arc.secret`` finds the secret by the context alone.
"""

from __future__ import annotations

import hmac
from typing import NamedTuple
from uuid import UUID

from ostinato.config import Settings
from ostinato.errors import SettingsError


class Issued(NamedTuple):
    """``secret`` has 32 hexadecimal digits, ``context`` is a UUID."""

    secret: str
    context: str


def issue(settings: Settings, token: str) -> Issued:
    """What belongs to the job of this token: the same each time. Raises ``SettingsError``."""
    digest = bytearray(_digest(settings, f"context {token}")[:16])
    digest[6] = digest[6] & 0x0F | 0x80  # a UUID of version 8: made in our own way
    digest[8] = digest[8] & 0x3F | 0x80
    context = str(UUID(bytes=bytes(digest)))
    return Issued(secret_of(settings, context), context)


def secret_of(settings: Settings, context: str) -> str:
    return _digest(settings, f"secret {context}")[:16].hex()


def _digest(settings: Settings, text: str) -> bytes:
    master = settings.arc.secret
    if not master:
        raise SettingsError(
            "arc.secret is not set, so no callback can be signed or verified; "
            "`openssl rand -hex 32` makes one for OSTINATO_ARC__SECRET (or …SECRET_FILE)"
        )
    return hmac.digest(master.encode(), text.encode(), "sha256")
