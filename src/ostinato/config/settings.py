"""Every setting: its default, how it is written, what it is for.

These tables are the only list of settings. The reference page, ``ostinato settings``, the names of
variables and the refusal of unknown ones all come from them; a new setting is one new line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from ostinato.config.addresses import STORE, URL
from ostinato.config.buses import BusSettings
from ostinato.config.kinds import (
    COUNT,
    DURATION,
    FLAG,
    FOREVER,
    KEEP,
    KEEPS,
    KEYS,
    LEASE,
    PORT,
    SECRET,
    SECRETS,
    SIZE,
    TEXT,
    TEXTS,
    ApiKey,
    KeepOf,
    one_of,
)
from ostinato.config.table import Setting, row, rows_of
from ostinato.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    event: int = row(1 << 20, SIZE, "the largest event")
    batch: int = row(10_000, COUNT, "events in one request")
    input: int = row(5 << 20, SIZE, "the largest input of a run")
    result: int = row(5 << 20, SIZE, "the largest result of a job, here or by callback")
    output: int = row(20 << 20, SIZE, "the largest result of a run")
    inline: int = row(16 << 10, SIZE, "values up to this stand in their rows; others apart, once")
    document: int = row(1 << 20, SIZE, "the largest workflow document")
    steps: int = row(100_000, COUNT, "steps of one run; beyond it the run fails")
    ready: int = row(10_000, COUNT, "jobs ready to start; beyond it new starts are refused")
    uid_queue: int = row(1_000, COUNT, "runs that wait for another of their uid")
    call_depth: int = row(50, COUNT, "runs that may call one another in a chain")
    calls: int = row(100_000, COUNT, "runs that one may call, and those in turn, in all")
    open_calls: int = row(10_000, COUNT, "… and of those open at once")
    abandoned: int = row(3, COUNT, "started attempts that may die with their process")


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotSettings:
    handlers: int = row(1_000, COUNT, "async handlers at the same time")
    threads: int = row(32, COUNT, "other handlers at the same time, each in a thread")
    processes: int | None = row(
        None, COUNT, "handlers with process=True at the same time; none: one for each core"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthSettings:
    keys: tuple[ApiKey, ...] = row((), KEYS, "who may call when host is not this machine")
    anonymous: tuple[str, ...] = row((), TEXTS, "names of routes that need no key")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSettings:
    runs: timedelta = row(FOREVER, KEEP, "runs that succeeded or were cancelled")  # noqa: RUF009
    failed: timedelta = row(FOREVER, KEEP, "runs that failed")  # noqa: RUF009
    workflows: tuple[KeepOf, ...] = row((), KEEPS, "other times for some workflows' runs")
    events: timedelta = row(FOREVER, KEEP, "accepted events")  # noqa: RUF009
    duplicates: timedelta = row(  # noqa: RUF009
        timedelta(days=7), DURATION, "the least time that a repeated event is known to be one"
    )
    dead_letters: timedelta = row(FOREVER, KEEP, "dead letters")  # noqa: RUF009
    operations: timedelta = row(FOREVER, KEEP, "repairs of many runs")  # noqa: RUF009
    export: str | None = row(None, TEXT, "a directory; runs are written there before they go")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArcSettings:
    """What `ostinato.arc` and its routes ask for."""

    secret: str | None = row(
        None, SECRET, "what each run's secret is made of; both planes may share it"
    )
    secret_expiry: timedelta = row(  # noqa: RUF009
        timedelta(minutes=20), DURATION, "how long a run's secret is good"
    )
    send_secret: bool = row(False, FLAG, "send it along, to who does not share arc.secret")
    single_use: bool = row(True, FLAG, "the same webhook counts once")
    tolerance: timedelta = row(  # noqa: RUF009
        timedelta(seconds=20), DURATION, "how far a callback's timestamp may be off"
    )
    signature_header: str = row("x-signature", TEXT, "the header with a callback's signature")
    timestamp_header: str = row("x-timestamp", TEXT, "the header with its time, in ms")
    attempts: int = row(
        10, COUNT, "refused callbacks for a tenant from one address in a window: more are 429"
    )
    window: timedelta = row(timedelta(minutes=1), DURATION, "that window")  # noqa: RUF009
    bus: str = row("memory", TEXT, "the bus that requests go out on; memory: to this engine")
    control_plane: str | None = row(
        None, URL, "where the control plane takes callbacks, without /webhook; none: here"
    )
    accept_unknown: bool = row(
        False, FLAG, "POST /events/{type} takes types that nothing here handles, too"
    )
    username: str | None = row(None, TEXT, "who may post to /webhooks/payments and the like")
    password: str | None = row(None, SECRET, "and by which password (HTTP Basic)")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    level: str = row("info", one_of("debug", "info", "warning", "error"), "least that is told")
    format: str = row(
        "auto", one_of("auto", "plain", "json"), "auto: plain on a terminal, else json"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Made by ``read_settings``; made directly, it takes values as they are and reads nothing."""

    store: str | tuple[str, ...] = row(
        "sqlite:///ostinato.db", STORE, "where everything is kept; several: each has a part"
    )
    host: str = row("127.0.0.1", TEXT, "the address that serve listens on")
    port: int = row(8085, PORT, "the port that serve listens on")
    url: str | None = row(None, URL, "the server that commands talk to")
    public_url: str | None = row(
        None, URL, "what callback addresses begin with, when a proxy stands in front"
    )
    key: str | None = row(None, SECRET, "the API key that commands send")
    lease: timedelta = row(  # noqa: RUF009
        timedelta(seconds=6), LEASE, "how long a process that is not heard of keeps its runs"
    )
    claims: str = row(
        "skip-locked",
        one_of("skip-locked", "recheck"),
        "how workers' jobs are claimed in PostgreSQL",
    )
    standby: bool = row(False, FLAG, "read only, until told to take its share (PostgreSQL)")
    drain: timedelta = row(  # noqa: RUF009 - gives a field, no shared value
        timedelta(seconds=30), DURATION, "how long a stop waits for jobs at work"
    )
    receive: timedelta = row(  # noqa: RUF009
        timedelta(seconds=60), DURATION, "how long a request may take to come in"
    )
    idempotency: timedelta = row(  # noqa: RUF009
        timedelta(hours=24), DURATION, "how long an Idempotency-Key is remembered"
    )
    secrets: Mapping[str, str] = field(
        default_factory=dict,
        metadata={"kind": SECRETS, "about": "what documents name as secrets.NAME"},
        repr=False,
    )
    aliases: bool = row(
        False, FLAG, "read the older services' common names, too: HOST, PORT, DB_*, REDIS_*"
    )
    limits: LimitSettings = LimitSettings()
    slots: SlotSettings = SlotSettings()
    auth: AuthSettings = AuthSettings()
    retention: RetentionSettings = RetentionSettings()
    arc: ArcSettings = ArcSettings()
    log: LogSettings = LogSettings()
    bus: Mapping[str, BusSettings] = field(default_factory=dict)
    """By name; see ``config.buses``."""
    origins: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def stores(self) -> tuple[str, ...]:
        return (self.store,) if isinstance(self.store, str) else self.store

    @property
    def only_store(self) -> str:
        """Raises ``SettingsError`` where there are several."""
        if isinstance(self.store, str):
            return self.store
        raise SettingsError(
            f"this is for one store at a time, and `store` names {len(self.store)} "
            f"({self.origin('store')}): name the one, as --store {STORE.show(self.store[0])}"
        )

    @property
    def store_file(self) -> Path | None:
        """The first of them; None when there is none."""
        return next(iter(self.store_files), None)

    @property
    def store_files(self) -> list[Path]:
        """Those of the stores that are files."""
        files = (url.removeprefix("sqlite:///") for url in self.stores)
        return [Path(file) for file, url in zip(files, self.stores, strict=True) if file != url]

    @property
    def store_is_server(self) -> bool:
        """Whether it is a database that several machines reach."""
        return self.stores[0].startswith(("postgresql://", "postgres://"))

    @property
    def store_shown(self) -> str:
        """The file, or the URL without its password; one after the other."""
        return ", ".join(map(shown_store, self.stores))

    def value(self, name: str) -> Any:
        """By its full name, ``limits.event``."""
        value: Any = self
        for part in name.split("."):
            value = getattr(value, part)
        return value

    def origin(self, name: str) -> str:
        """``default``, or the file, variable, argument or flag that gave the value."""
        return self.origins.get(name, "default")


def shown_store(url: str) -> str:
    return STORE.show(url).removeprefix("sqlite:///")


@cache
def settings_table() -> Mapping[str, Setting]:
    return {setting.name: setting for setting in rows_of(Settings)}
