"""The older services' names for settings, in one table. Any name of ours beats them.

A variable that many machines have for something else (HOST, PORT, DB_*, REDIS_*) is read only when
``aliases`` says so. One of a bus fills in the buses of its kind that the settings have, and makes
none. AWS_REGION and the like are read by the AWS client itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ostinato.config.buses import BUS, KINDS
from ostinato.config.given import Given

Environ = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Alias:
    """``setting`` is a full name; of a bus, its member, ``bus`` is its kind. Without a setting the
    variable is not read, and ``about`` says why. ``reads`` gives the value, or None for one that
    is not meant for us."""

    variable: str
    setting: str = ""
    bus: str = ""
    about: str = ""
    common: bool = False
    reads: Callable[[str, Environ], Any] = lambda value, environ: value

    @property
    def target(self) -> str:
        return f"[bus.NAME] {self.setting}, kind {self.bus}" if self.bus else self.setting


def _milliseconds(value: str, environ: Environ) -> str:
    return f"{value}ms" if value.isdecimal() else value


def _level(value: str, environ: Environ) -> str | None:
    """``LOG_LEVEL`` is everybody's: what we have no word for is not for us."""
    level = {"warn": "warning"}.get(value.lower(), value.lower())
    return level if level in ("debug", "info", "warning", "error") else None


def _client(value: str, environ: Environ) -> dict[str, str]:
    return {"client.id": value}


def _redis(value: str, environ: Environ) -> str | None:
    if environ.get("REDIS_URL"):
        return None
    password = quote(environ.get("REDIS_PASSWORD", ""), safe="")
    before = f":{password}@" if password else ""
    return f"redis://{before}{value}:{environ.get('REDIS_PORT') or 6379}"


def _database(value: str, environ: Environ) -> str | None:
    name = environ.get("DB_DATABASE")
    if not name:
        return None
    user, password = (quote(environ.get(part, ""), safe="") for part in ("DB_USER", "DB_PASSWORD"))
    who = f"{user}:{password}@" if password else f"{user}@" if user else ""
    return f"postgresql://{who}{value}:{environ.get('DB_PORT') or 5432}/{quote(name, safe='')}"


WITH_HOST = "read with DB_HOST"
WITH_REDIS = "read with REDIS_HOST"
LATER = "not yet: nothing here has a use for it"

ALIASES: tuple[Alias, ...] = (
    Alias("EVENT_BUS_NAME", "bus", "eventbridge"),
    Alias("KAFKA_SERVER", "servers", "kafka"),
    Alias("KAFKA_CLIENT_ID", "options", "kafka", "client.id, where it has no options of its own",
          reads=_client),
    Alias("KAFKA_GROUP_ID", "group", "kafka"),
    Alias("KAFKA_SSL", "tls", "kafka"),
    Alias("AWS_QUEUE_URL", "queue", "sqs"),
    Alias("AWS_SQS_REGION", "region", "sqs"),
    Alias("AWS_SQS_ACCESS_KEY", "access_key_id", "sqs"),
    Alias("AWS_SQS_SECRET_KEY", "secret_access_key", "sqs"),
    Alias("REDIS_URL", "url", "bullmq", common=True),
    Alias("REDIS_HOST", "url", "bullmq", common=True, reads=_redis),
    Alias("REDIS_PORT", about=WITH_REDIS, common=True),
    Alias("REDIS_PASSWORD", about=WITH_REDIS, common=True),
    Alias("WEBHOOK_SECRET_EXPIRY", "arc.secret_expiry", about="in ms", reads=_milliseconds),
    Alias("WEBHOOK_API_MAX_ATTEMPTS", "arc.attempts"),
    Alias("WEBHOOK_USERNAME", "arc.username"),
    Alias("WEBHOOK_PASSWORD", "arc.password"),
    Alias("LOG_LEVEL", "log.level", about="a level we have no word for is passed over",
          reads=_level),
    Alias("HOST", "host", common=True),
    Alias("PORT", "port", common=True),
    Alias("DB_HOST", "store", about="with DB_DATABASE: postgresql://…", common=True,
          reads=_database),
    Alias("DB_PORT", about=WITH_HOST, common=True),
    Alias("DB_USER", about=WITH_HOST, common=True),
    Alias("DB_PASSWORD", about=WITH_HOST, common=True),
    Alias("DB_DATABASE", about=WITH_HOST, common=True),
    Alias("DB_SCHEMA", about="the tables of a store have names of their own"),
    Alias("JWT_ISSUER", about=LATER),
    Alias("JWT_SECRET", about=LATER),
    Alias("CAMUNDA_URL", about=LATER),
    Alias("LOGIN_URL", about=LATER),
    Alias("SYSTEM_USER_ID", about=LATER),
    Alias("SYSTEM_USER_TENANT_ID", about=LATER),
    Alias("statusTable", about="the status document is in the store"),
    Alias("pluginTable", about="what plugins have registered is in the store"),
    Alias("BASE_PATH", about="an app that is mounted knows where it is"),
)  # fmt: skip


def from_aliases(environ: Environ, given: Iterable[Given]) -> Iterator[Given]:
    """``given`` is what our own names say: which buses there are, and whether common names are
    read, too. An empty variable counts as not set."""
    found = list(given)
    names, common = _buses(found), _common(found)
    for alias in ALIASES:
        value = environ.get(alias.variable, "")
        if not value or not alias.setting or (alias.common and not common):
            continue
        if (read := alias.reads(value, environ)) is None:
            continue
        variable = alias.variable
        for name in _settings(alias, names):
            yield Given(name, read, variable, variable)


def _settings(alias: Alias, buses: Mapping[str, str]) -> list[str]:
    if not alias.bus:
        return [alias.setting]
    return [f"{BUS}{name}.{alias.setting}" for name, kind in buses.items() if kind == alias.bus]


def _buses(given: Iterable[Given]) -> dict[str, str]:
    """Each bus that is spoken of, and its kind."""
    kinds: dict[str, str] = {}
    for each in given:
        if each.name.startswith(BUS):
            name, _, member = each.name.removeprefix(BUS).partition(".")
            kinds.setdefault(name, name)
            if member == "kind" and str(each.value) in KINDS:
                kinds[name] = each.value
    return kinds


def _common(given: Iterable[Given]) -> bool:
    said = [each.value for each in given if each.name == "aliases"]
    return bool(said) and str(said[-1]).strip().lower() == "true"
