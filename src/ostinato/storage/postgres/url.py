"""Where a server is, as the store's URL says it; every parameter of libpq may stand in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ostinato.errors import SettingsError, StoreError
from ostinato.storage.postgres import faults

if TYPE_CHECKING:
    import psycopg

SCHEMA = "ostinato"
"""All tables are in a schema of their own: the database may hold other things, too."""

IDLE = 15_000
"""Milliseconds after which the server ends a transaction whose client has stopped."""

_DEFAULTS = {
    "connect_timeout": "10", "keepalives_idle": "10", "keepalives_interval": "3",
    "keepalives_count": "3", "tcp_user_timeout": "15000", "client_encoding": "UTF8",
}  # fmt: skip
"""A server whose machine is gone is noticed within seconds. What the URL says goes before."""


@dataclass(frozen=True, slots=True)
class Address:
    """``place`` is the URL without what is secret: for messages."""

    url: str
    place: str


def address(url: str) -> Address:
    """Raises ``SettingsError``."""
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError as error:
        raise SettingsError(
            f"store = {public(url)!r} needs psycopg, which is not installed; "
            'pip install "ostinato[postgres]"'
        ) from error
    try:
        conninfo_to_dict(url)
    except ProgrammingError as error:
        said = " ".join(str(error).split())
        raise SettingsError(
            f"store = {public(url)!r} cannot be read: {said}; write it as "
            "postgresql://USER:PASSWORD@HOST:PORT/DATABASE?OPTION=VALUE"
        ) from error
    return Address(url, public(url))


def public(url: str) -> str:
    """Without passwords, however they are given."""
    url = re.sub(r"(://[^/@?]*?):[^/@?]*@", r"\1@", url)
    return re.sub(r"([?&](?:ssl)?password=)[^&]*", r"\1…", url)


async def connect(at: Address, purpose: str) -> psycopg.AsyncConnection[Any]:
    """Raises ``StoreError``; its ``sign`` is one of ``faults``."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    given = conninfo_to_dict(at.url)
    more: dict[str, Any] = {key: value for key, value in _DEFAULTS.items() if key not in given}
    more.setdefault("application_name", given.get("application_name") or f"ostinato {purpose}")
    try:
        db = await psycopg.AsyncConnection.connect(at.url, autocommit=True, **more)
    except psycopg.Error as error:
        told, sign = faults.connecting(at.place, str(error))
        told.details["sign"] = sign
        raise told from error
    try:
        await db.execute(_SETTINGS.format(schema=SCHEMA, idle=IDLE))
    except psycopg.Error as error:
        await db.close()
        raise StoreError(f"{at.place}: {error}", sign="57P03") from error
    except BaseException:  # whoever wanted it is not there any more
        await db.close()
        raise
    return db


_SETTINGS = """
SET search_path = {schema}; SET idle_in_transaction_session_timeout = {idle};
SET client_min_messages = warning; SET standard_conforming_strings = on;
SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 3; SET tcp_keepalives_count = 3
"""
"""The server, too, is to notice soon when the other side is gone: it may hold a lock for it."""
