"""Every setting: its default, how it is written, what it is for.

These tables are the only list of settings. The reference page, ``ostinato settings``, the names of
variables and the refusal of unknown ones all come from them; a new setting is one new line here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

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
    STORE,
    TEXT,
    TEXTS,
    URL,
    ApiKey,
    KeepOf,
    Kind,
    one_of,
)
from ostinato.errors import SettingsError

T = TypeVar("T")


def _setting(default: T, kind: Kind, about: str) -> T:
    about_it = {"kind": kind, "about": about}
    value: T = field(default=default, metadata=about_it, repr=not kind.secret)
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    event: int = _setting(1 << 20, SIZE, "the largest event")
    batch: int = _setting(10_000, COUNT, "events in one request")
    input: int = _setting(5 << 20, SIZE, "the largest input of a run")
    result: int = _setting(5 << 20, SIZE, "the largest result of a job, here or by callback")
    output: int = _setting(20 << 20, SIZE, "the largest result of a run")
    inline: int = _setting(
        16 << 10, SIZE, "values up to this stand in their rows; others apart, once"
    )
    document: int = _setting(1 << 20, SIZE, "the largest workflow document")
    steps: int = _setting(100_000, COUNT, "steps of one run; beyond it the run fails")
    ready: int = _setting(10_000, COUNT, "jobs ready to start; beyond it new starts are refused")
    uid_queue: int = _setting(1_000, COUNT, "runs that wait for another of their uid")
    call_depth: int = _setting(50, COUNT, "runs that may call one another in a chain")
    calls: int = _setting(100_000, COUNT, "runs that one may call, and those in turn, in all")
    open_calls: int = _setting(10_000, COUNT, "… and of those open at once")
    abandoned: int = _setting(3, COUNT, "started attempts that may die with their process")


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotSettings:
    handlers: int = _setting(1_000, COUNT, "async handlers at the same time")
    threads: int = _setting(32, COUNT, "other handlers at the same time, each in a thread")
    processes: int | None = _setting(
        None, COUNT, "handlers with process=True at the same time; none: one for each core"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthSettings:
    keys: tuple[ApiKey, ...] = _setting((), KEYS, "who may call when host is not this machine")
    anonymous: tuple[str, ...] = _setting((), TEXTS, "names of routes that need no key")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSettings:
    runs: timedelta = _setting(FOREVER, KEEP, "runs that succeeded or were cancelled")  # noqa: RUF009
    failed: timedelta = _setting(FOREVER, KEEP, "runs that failed")  # noqa: RUF009
    workflows: tuple[KeepOf, ...] = _setting((), KEEPS, "other times for some workflows' runs")
    events: timedelta = _setting(FOREVER, KEEP, "accepted events")  # noqa: RUF009
    duplicates: timedelta = _setting(  # noqa: RUF009
        timedelta(days=7), DURATION, "the least time that a repeated event is known to be one"
    )
    dead_letters: timedelta = _setting(FOREVER, KEEP, "dead letters")  # noqa: RUF009
    operations: timedelta = _setting(FOREVER, KEEP, "repairs of many runs")  # noqa: RUF009
    export: str | None = _setting(None, TEXT, "a directory; runs are written there before they go")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    level: str = _setting("info", one_of("debug", "info", "warning", "error"), "least that is told")
    format: str = _setting(
        "auto", one_of("auto", "plain", "json"), "auto: plain on a terminal, else json"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Made by ``read_settings``; made directly, it takes values as they are and reads nothing."""

    store: str | tuple[str, ...] = _setting(
        "sqlite:///ostinato.db", STORE, "where everything is kept; several: each has a part"
    )
    host: str = _setting("127.0.0.1", TEXT, "the address that serve listens on")
    port: int = _setting(8085, PORT, "the port that serve listens on")
    url: str | None = _setting(None, URL, "the server that commands talk to")
    public_url: str | None = _setting(
        None, URL, "what callback addresses begin with, when a proxy stands in front"
    )
    key: str | None = _setting(None, SECRET, "the API key that commands send")
    lease: timedelta = _setting(  # noqa: RUF009
        timedelta(seconds=6), LEASE, "how long a process that is not heard of keeps its runs"
    )
    claims: str = _setting(
        "skip-locked",
        one_of("skip-locked", "recheck"),
        "how workers' jobs are claimed in PostgreSQL",
    )
    standby: bool = _setting(False, FLAG, "read only, until told to take its share (PostgreSQL)")
    drain: timedelta = _setting(  # noqa: RUF009 - gives a field, no shared value
        timedelta(seconds=30), DURATION, "how long a stop waits for jobs at work"
    )
    receive: timedelta = _setting(  # noqa: RUF009
        timedelta(seconds=60), DURATION, "how long a request may take to come in"
    )
    idempotency: timedelta = _setting(  # noqa: RUF009
        timedelta(hours=24), DURATION, "how long an Idempotency-Key is remembered"
    )
    secrets: Mapping[str, str] = field(
        default_factory=dict,
        metadata={"kind": SECRETS, "about": "what documents name as secrets.NAME"},
        repr=False,
    )
    limits: LimitSettings = LimitSettings()
    slots: SlotSettings = SlotSettings()
    auth: AuthSettings = AuthSettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()
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


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the tables. ``name`` is the full one, ``limits.event``."""

    name: str
    kind: Kind
    default: Any
    about: str

    @property
    def variable(self) -> str:
        return "OSTINATO_" + self.name.replace(".", "__").upper()

    def shown(self, value: Any) -> str:
        return "none" if value is None else self.kind.show(value)


@cache
def settings_table() -> Mapping[str, Setting]:
    return {setting.name: setting for setting in _walk(Settings, "")}


def _walk(table: Any, prefix: str) -> Iterator[Setting]:
    for each in fields(table):
        if each.metadata:
            about, kind = each.metadata["about"], each.metadata["kind"]
            default = {} if each.default is MISSING else each.default
            yield Setting(prefix + each.name, kind, default, about)
        elif each.default is not MISSING and is_dataclass(each.default):
            yield from _walk(each.default, f"{prefix}{each.name}.")
